"""Options of ``weights``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, option


@dataclass(frozen=True)
class WeightsOptions:
    """Options of ``weights list``, and what the other verbs of ``weights`` have in common."""

    names: tuple[str, ...] = argument("NAME", default=(), shown="all", help="What to list.")
    output: Path | None = option(
        "--output", "-o", default=None, shown="$DPLASS_HOME, else ~/.cache/dplass", help="Folder of fetched files."
    )
    table: Path | None = option("--table", default=None, shown="the shipped one", help="Table of known files.")
    lock: Path | None = option(
        default=None, shown="dplass-weights.lock.json in --output", help="File with the pinned hashes."
    )


@dataclass(frozen=True)
class WeightsFetchOptions(WeightsOptions):
    """Options of ``weights fetch``."""

    names: tuple[str, ...] = argument("NAME", default=(), help="What to fetch; see dplass weights list.")
    lock: Path | None = option(
        "--lock", default=None, shown="dplass-weights.lock.json in --output", help="File with the pinned hashes."
    )
    offline: bool = option("--offline", default=False, help="Fetch nothing; say what is missing.")


@dataclass(frozen=True)
class WeightsVerifyOptions(WeightsOptions):
    """Options of ``weights verify``."""

    names: tuple[str, ...] = argument("NAME", default=(), shown="all that is there", help="What to verify.")
    lock: Path | None = option(
        "--lock", default=None, shown="dplass-weights.lock.json in --output", help="File with the pinned hashes."
    )
