"""Options of ``weights``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightsOptions:
    """What to list, fetch or verify.

    Attributes:
        names: rows of the table; for listing and verifying, none means all.
        output: the folder of fetched files; by default ``$DPLASS_HOME``, else ``~/.cache/dplass``.
        lock: the lock file; by default ``dplass-weights.lock.json`` in that folder.
        offline: fetch nothing, only say what is missing.
        table: another table of known files than the shipped one.
    """

    names: tuple[str, ...] = ()
    output: Path | None = None
    lock: Path | None = None
    offline: bool = False
    table: Path | None = None
