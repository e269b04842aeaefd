"""Drawing a table of two-source mixtures from a manifest, for evaluations on one's own recordings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.errors import InputError

_TRIES = 200  # random noises that are tried for a target before all are looked through


@dataclass(frozen=True)
class MixturesResult:
    """Result of :func:`draw_table`.

    Attributes:
        table: the mixture table.
        mixtures: its rows.
        captions: distinct captions of the targets.
        clips: distinct clips that occur as target or noise.
    """

    table: Path
    mixtures: int
    captions: int
    clips: int


def draw_table(manifest: Path, table: Path, count: int, snr_db: tuple[float, float], seed: int) -> MixturesResult:
    """Draw mixtures of the clips of a manifest, and write their table; see :func:`draw_mixtures`.

    Raises:
        InputError: the manifest is unusable, or no two of its clips can be told apart.
    """
    mixtures = draw_mixtures(read_manifest(manifest), count, snr_db, seed)
    if not mixtures:
        raise InputError(f"{manifest}: no two clips differ in caption and labels; a mixture needs two kinds of sound")
    write_mixtures(table, mixtures)
    clips = {row.id for mixture in mixtures for row in (mixture.source, mixture.noise)}
    return MixturesResult(table, len(mixtures), len({mixture.source.caption for mixture in mixtures}), len(clips))


def draw_mixtures(rows: Sequence[Row], count: int, snr_db: tuple[float, float], seed: int) -> list[Mixture]:
    """Draw mixtures of two clips that share no caption and no label, so that the query means only one of them.

    Captions take turns as targets, so that each is asked for about equally often. Targets without a possible noise are
    left out. Energy ratios are drawn uniformly from ``snr_db``, in dB.
    """
    rng = np.random.default_rng(seed)
    captions, labels = _of_clips(rows)
    by_caption: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_caption[row.caption].append(row)
    turns = [rng.permutation(len(found)) for found in by_caption.values()]
    pools = list(zip(by_caption.values(), turns, strict=True))

    def noise_for(target: Row) -> Row | None:
        def fits(row: Row) -> bool:
            return captions[target.id].isdisjoint(captions[row.id]) and labels[target.id].isdisjoint(labels[row.id])

        tried = (rows[place] for place in rng.integers(len(rows), size=_TRIES))
        return next((row for row in tried if fits(row)), None) or next(filter(fits, rows), None)

    mixtures: list[Mixture] = []
    number, useless = 0, 0
    while len(mixtures) < count and useless < len(rows):
        found, turn = pools[number % len(pools)]
        target = found[turn[number // len(pools) % len(found)]]
        number += 1
        noise = noise_for(target)
        if noise is None:
            useless += 1
            continue
        useless = 0
        mixtures.append(Mixture(target, noise, round(float(rng.uniform(*snr_db)), 2)))
    return mixtures


def _of_clips(rows: Iterable[Row]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """All captions, without regard to case, and all labels of each clip, by its id."""
    captions: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        captions[row.id].add(row.caption.casefold())
        labels[row.id].update(row.labels)
    return captions, labels
