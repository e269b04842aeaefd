"""The options that every verb has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, option

_PANEL = "Common"


@dataclass(frozen=True)
class CommonOptions(Options):
    """Where options come from, and how results and errors are printed."""

    config: Path | None = option(None, "YAML file of options.", hidden=("--config_yaml",), panel=_PANEL)
    set: tuple[str, ...] = option((), "One option as key.path=value; overrides --config. Repeatable.", panel=_PANEL)
    json: bool = option(False, "Print one machine-readable result on stdout.", panel=_PANEL)
    verbose: bool = option(False, "Log progress, and tracebacks of errors.", also="-v", panel=_PANEL)
