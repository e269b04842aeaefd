"""The options that every verb has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import option

_PANEL = "Common"


@dataclass(frozen=True)
class CommonOptions:
    """Where options come from, and how results and errors are printed."""

    config: Path | None = option(
        "--config", default=None, hidden=("--config_yaml",), panel=_PANEL, help="YAML file of options."
    )
    set: tuple[str, ...] = option(
        "--set", default=(), panel=_PANEL, help="One option as key.path=value; overrides --config. Repeatable."
    )
    json: bool = option("--json", default=False, panel=_PANEL, help="Print one machine-readable result on stdout.")
    verbose: bool = option(
        "--verbose", "-v", default=False, panel=_PANEL, help="Log progress, and tracebacks of errors."
    )
