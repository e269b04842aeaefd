"""Options of ``models``."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.declaration import Options


@dataclass(frozen=True, kw_only=True)
class ModelsOptions(Options):
    """Options of ``models``: none of its own."""
