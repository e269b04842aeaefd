"""The validation split, and the mixtures that a domain's adapter is validated on."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture
from dplass_cli.data.ontology import SoundKinds, kinds_of_clips
from dplass_cli.domains.features import clip_of

DomainRows = Mapping[int, Sequence[Row]]


@dataclass(frozen=True)
class Split:
    """The training and validation rows of each domain; no clip id is in both, not even in different domains.

    Attributes:
        training: {domain id: rows}.
        validation: {domain id: rows}.
    """

    training: dict[int, list[Row]]
    validation: dict[int, list[Row]]


def split_rows(domains: DomainRows, fraction: float, seed: int) -> Split:
    """Hold out about ``fraction`` of the clip ids for validation, by a hash of the id and the seed.

    A domain with two or more clip ids has at least one in validation, and at least one in training unless shared clips
    make that impossible. A domain with one clip id has it in training.
    """
    held = {row.id for rows in domains.values() for row in rows if _rank(row.id, seed) < fraction}
    if not all(_on_both_sides(rows, held) for rows in domains.values()):
        held = _balanced(domains, held, seed)
    return Split(
        {domain: [row for row in rows if row.id not in held] for domain, rows in domains.items()},
        {domain: [row for row in rows if row.id in held] for domain, rows in domains.items()},
    )


def _on_both_sides(rows: Iterable[Row], held: set[str]) -> bool:
    return {row.id in held for row in rows} == {True, False}


def _balanced(domains: DomainRows, held: set[str], seed: int) -> set[str]:
    """Move single clips so that each domain has some in both parts, as far as possible."""
    held = set(held)
    clips = [sorted({row.id for row in rows}, key=lambda id: _rank(id, seed)) for rows in domains.values()]
    for ids in clips:
        if held.issuperset(ids):
            held.difference_update(ids[-1:])
    for ids in clips:
        if len(ids) > 1 and held.isdisjoint(ids):
            held.add(next((id for id in ids if not _is_last(id, clips, held)), ids[0]))
    return held


def _rank(id: str, seed: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{seed}:{id}".encode(errors="surrogateescape")).digest()[:8], "big") / 2**64


def _is_last(id: str, clips: Iterable[Sequence[str]], held: set[str]) -> bool:
    """Whether a domain would have no training clip without this one."""
    return any(id in ids and held.union([id]).issuperset(ids) for ids in clips)


def validation_mixtures(split: Split, per_domain: int, seed: int) -> dict[int, list[Mixture]]:
    """Choose up to ``per_domain`` different mixtures per domain, at 0 dB; no target is reused before all are used.

    The target is a validation row of the domain. The noise is another validation clip of another domain, whose sounds
    are not related to those of the target's clip; if there is none, it is such a training clip.
    """
    validation = _Clips(split.validation, f"{seed}:validation")
    pools = [validation, _Clips(split.training, f"{seed}:training")]
    mixtures = {}
    for domain, targets in split.validation.items():
        targets = random.Random(f"{seed}:{domain}").sample(targets, len(targets))
        partners = [
            _partners(target, validation.kinds[target.id, target.wav], pools, domain, turn)
            for turn, target in enumerate(targets)
        ]
        mixtures[domain] = list(itertools.islice(_round_robin(targets, partners), per_domain))
    return mixtures


class _Clips:
    """The clips of one part. Its lookup tables are built on demand, since those of training are rarely needed."""

    def __init__(self, side: DomainRows, seed: str) -> None:
        self._side, self._seed = side, seed
        self._others: dict[int, list[Row]] = {}

    @cached_property
    def kinds(self) -> Mapping[tuple[str, Path], SoundKinds]:
        """The sounds of each clip; all rows of a clip are in one part."""
        return kinds_of_clips(itertools.chain.from_iterable(self._side.values()))

    def others(self, domain: int) -> list[Row]:
        """Return the clips of the other domains, each once, in random order."""
        if domain not in self._others:
            rows = {clip_of(row): row for other, rows in self._side.items() if other != domain for row in rows}
            shuffled = random.Random(f"{self._seed}:{domain}").sample(list(rows.values()), len(rows))
            self._others = {domain: shuffled}  # only the last, since domains are processed one after the other
        return self._others[domain]


def _partners(target: Row, kinds: SoundKinds, pools: Iterable[_Clips], domain: int, turn: int) -> Iterator[Row]:
    """Yield noises for a target from the first pool that has any; each turn starts at a different clip."""
    for clips in pools:
        found, pool = False, clips.others(domain)
        for place in range(len(pool)):
            noise = pool[(place + turn) % len(pool)]
            if noise.id != target.id and not kinds.related(clips.kinds[noise.id, noise.wav]):
                found = True
                yield noise
        if found:
            return


def _round_robin(targets: Sequence[Row], partners: Sequence[Iterator[Row]]) -> Iterator[Mixture]:
    turns = list(zip(targets, partners, strict=True))
    while turns:
        left = []
        for target, noises in turns:
            noise = next(noises, None)
            if noise is not None:
                left.append((target, noises))
                yield Mixture(target, noise)
        turns = left
