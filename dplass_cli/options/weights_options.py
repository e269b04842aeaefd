"""Options of ``weights``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, argument, option


@dataclass(frozen=True)
class WeightsOptions(Options):
    """Options of ``weights list``, and what the other verbs of ``weights`` have in common."""

    names: tuple[str, ...] = argument("NAME", "What to list.", (), shown="all")
    output: Path | None = option(
        None, "Folder of fetched files.", also="-o", shown="$DPLASS_HOME, else a folder of the user's caches"
    )
    table: Path | None = option(
        None, "Table of known files.", shown="the shipped one, and dplass-weights.yaml in --output"
    )
    lock: Path | None = option(None, "File with the pinned hashes.", shown="dplass-weights.lock.json in --output")


@dataclass(frozen=True)
class WeightsFetchOptions(WeightsOptions):
    """Options of ``weights fetch``."""

    names: tuple[str, ...] = argument("NAME", "What to fetch: names of dplass weights list or models.", ())
    offline: bool = option(False, "Fetch nothing; say what is missing.")


@dataclass(frozen=True)
class WeightsVerifyOptions(WeightsOptions):
    """Options of ``weights verify``."""

    names: tuple[str, ...] = argument("NAME", "What to verify.", (), shown="all that is there")
