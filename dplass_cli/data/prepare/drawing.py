"""Drawing a table of mixtures from a manifest, for evaluations on one's own recordings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.data.ontology import kinds_of_clips
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


def draw_table(
    manifest: Path, table: Path, count: int, snr_db: tuple[float, float], seed: int, sources: Sequence[int] = (2,)
) -> MixturesResult:
    """Draw mixtures of the clips of a manifest, and write their table; see :func:`draw_mixtures`.

    Raises:
        InputError: the manifest is unusable, or lacks so many clips of unrelated sounds.
    """
    mixtures = draw_mixtures(read_manifest(manifest), count, snr_db, seed, sources)
    if len(mixtures) < count:
        lacking = sources[len(mixtures) % len(sources)]
        raise InputError(
            f"{manifest}: no {lacking} clips have unrelated captions and labels; a mixture of {lacking} sources needs"
            f" {lacking} kinds of sound"
        )
    write_mixtures(table, mixtures)
    clips = {row.id for mixture in mixtures for row in mixture.rows}
    return MixturesResult(table, len(mixtures), len({mixture.source.caption for mixture in mixtures}), len(clips))


def draw_mixtures(
    rows: Sequence[Row], count: int, snr_db: tuple[float, float], seed: int, sources: Sequence[int] = (2,)
) -> list[Mixture]:
    """Draw mixtures of clips whose sounds are not related by the ontology, so that the query means only one of them.

    Captions take turns as targets, so that each is asked for about equally often. Targets without possible noises are
    left out; there are fewer mixtures than ``count`` if all are. Energy ratios are drawn uniformly from ``snr_db``, in
    dB. The numbers of ``sources`` take turns.
    """
    rng = np.random.default_rng(seed)
    kinds = kinds_of_clips(rows)
    by_caption: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_caption[row.caption].append(row)
    turns = [rng.permutation(len(found)) for found in by_caption.values()]
    pools = list(zip(by_caption.values(), turns, strict=True))

    def another(present: Sequence[Row]) -> Row | None:
        def fits(row: Row) -> bool:
            return not any(
                row.id == other.id or kinds[row.id, row.wav].related(kinds[other.id, other.wav]) for other in present
            )

        tried = (rows[place] for place in rng.integers(len(rows), size=_TRIES))
        return next((row for row in tried if fits(row)), None) or next(filter(fits, rows), None)

    def mixed(target: Row, size: int) -> list[Row] | None:
        present = [target]
        while len(present) < size:
            row = another(present)
            if row is None:
                return None
            present.append(row)
        return present

    mixtures: list[Mixture] = []
    number, useless = 0, 0
    while len(mixtures) < count and useless < len(rows):
        found, turn = pools[number % len(pools)]
        target = found[turn[number // len(pools) % len(found)]]
        number += 1
        present = mixed(target, sources[len(mixtures) % len(sources)])
        if present is None:
            useless += 1
            continue
        useless = 0
        _, noise, *further = present
        snr = round(float(rng.uniform(*snr_db)), 2)
        mixtures.append(Mixture(target, noise, snr, further_noises=tuple(further)))
    return mixtures
