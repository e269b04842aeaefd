"""Options of ``models``."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.declaration import Options, option


@dataclass(frozen=True, kw_only=True)
class ModelsOptions(Options):
    """Options of ``models``."""

    costs: bool = option(
        False, "Instead, list parameters, multiply-accumulates and sizes of the bundled and the published networks."
    )
