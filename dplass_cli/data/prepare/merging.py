"""Merging manifests in proportions, such as real recordings with up to five times as many generated ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dplass_cli.data.manifest import Row, read_manifest, row_item, write_items
from dplass_cli.errors import InputError


@dataclass(frozen=True)
class Merged:
    """One source of a merged manifest.

    Attributes:
        manifest: the source.
        rows: its rows.
        used: rows in the merged manifest, with repetitions.
        repeated: those of them that are repetitions.
    """

    manifest: Path
    rows: int
    used: int
    repeated: int


@dataclass(frozen=True)
class MergeResult:
    """Result of :func:`merge_manifests`.

    Attributes:
        manifest: the merged manifest.
        rows: its rows.
        sources: what each source contributed.
    """

    manifest: Path
    rows: int
    sources: tuple[Merged, ...]


def merge_manifests(manifests: Sequence[Path], output: Path, share: Sequence[float], seed: int) -> MergeResult:
    """Merge manifests; each row of the result names its ``source``: its own, or the manifest that it comes from.

    Without shares, all rows of each source are used. With them, all rows of the first, and share_k / share_0 times as
    many of source k, drawn uniformly without replacement; one with fewer rows is repeated before the rest is drawn.

    Raises:
        InputError: a manifest is unusable, shares and manifests differ in number, or a share is not positive.
    """
    if not manifests:
        raise InputError("no manifests to merge; give at least one")
    if share and len(share) != len(manifests):
        raise InputError(f"{len(manifests)} manifests and {len(share)} shares; give --share once per manifest")
    if any(not 0 < value < float("inf") for value in share):
        raise InputError(f"--share: shares must be positive numbers, not {', '.join(map(str, share))}")
    sources = [read_manifest(path) for path in manifests]
    wanted = [round(len(sources[0]) * value / share[0]) for value in share] if share else list(map(len, sources))
    merged = [
        Merged(path, len(rows), count, max(0, count - len(rows)))
        for path, rows, count in zip(manifests, sources, wanted, strict=True)
    ]

    def items() -> Iterator[dict[str, Any]]:
        for number, (path, rows, count) in enumerate(zip(manifests, sources, wanted, strict=True)):
            for row in _drawn(rows, count, np.random.default_rng((seed, number))):
                yield {"source": os.path.abspath(path), **row_item(row)}

    return MergeResult(output, write_items(output, items()), tuple(merged))


def _drawn(rows: Sequence[Row], count: int, rng: np.random.Generator) -> Iterator[Row]:
    """Yield ``count`` rows in their order: whole passes, then a uniform draw."""
    passes, rest = divmod(count, len(rows))
    for _ in range(passes):
        yield from rows
    yield from (rows[place] for place in sorted(rng.choice(len(rows), rest, replace=False)))
