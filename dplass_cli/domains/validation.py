"""Holding clips out of training, and the mixtures that a domain's adapter is validated on."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dplass_cli.data.manifest import Row
from dplass_cli.data.mixtures import Mixture
from dplass_cli.domains.features import clip_of

DomainRows = Mapping[int, Sequence[Row]]


@dataclass(frozen=True)
class Split:
    """The rows of each domain on the two sides; no clip id is on both, in whatever domains its rows are."""

    training: dict[int, list[Row]]
    validation: dict[int, list[Row]]


def split_rows(domains: DomainRows, fraction: float, seed: int) -> Split:
    """Hold about ``fraction`` of the clip ids out for validation, by a hash of the id with the seed.

    A domain with two clip ids or more has at least one in validation. It keeps at least one in training too, unless
    shared clips make that impossible; a domain with one clip id keeps it in training.
    """
    rank = {row.id: _rank(row.id, seed) for rows in domains.values() for row in rows}
    clips = [sorted({row.id for row in rows}, key=lambda id: rank[id]) for rows in domains.values()]
    held = {id for id in rank if rank[id] < fraction}
    for ids in clips:
        if held.issuperset(ids):
            held.difference_update(ids[-1:])
    for ids in clips:
        if len(ids) > 1 and held.isdisjoint(ids):
            held.add(next((id for id in ids if not _is_last(id, clips, held)), ids[0]))
    return Split(
        {domain: [row for row in rows if row.id not in held] for domain, rows in domains.items()},
        {domain: [row for row in rows if row.id in held] for domain, rows in domains.items()},
    )


def _rank(id: str, seed: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{seed}:{id}".encode()).digest()[:8], "big") / 2**64


def _is_last(id: str, clips: Iterable[Sequence[str]], held: set[str]) -> bool:
    """Say whether some domain would have no training clip without this one."""
    return any(id in ids and held.union([id]).issuperset(ids) for ids in clips)


def validation_mixtures(split: Split, per_domain: int, seed: int) -> dict[int, list[Mixture]]:
    """Choose up to ``per_domain`` different mixtures a domain, at 0 dB; every target is used before one is used again.

    The target is a validation row of the domain. The noise is a validation clip of another domain that shares neither
    its clip id nor a caption with the target's clip; where there is none, it is such a training clip.
    """
    captions = _captions_by_clip([*split.training.values(), *split.validation.values()])
    mixtures = {}
    for domain, targets in split.validation.items():
        chance = random.Random(f"{seed}:{domain}")
        targets = chance.sample(targets, len(targets))
        pools = [_shuffled_clips(side, domain, chance) for side in (split.validation, split.training)]
        partners = [_partners(target, pools, captions, turn) for turn, target in enumerate(targets)]
        mixtures[domain] = list(itertools.islice(_round_robin(targets, partners), per_domain))
    return mixtures


def _captions_by_clip(sides: Iterable[Iterable[Row]]) -> dict[str, set[str]]:
    captions: dict[str, set[str]] = defaultdict(set)
    for row in itertools.chain.from_iterable(sides):
        captions[row.id].add(row.caption.casefold())
    return captions


def _shuffled_clips(side: DomainRows, domain: int, chance: random.Random) -> list[Row]:
    """The clips of the other domains, each once, in random order."""
    others = {clip_of(row): row for other, rows in side.items() if other != domain for row in rows}
    return chance.sample(list(others.values()), len(others))


def _partners(
    target: Row, pools: Iterable[Sequence[Row]], captions: Mapping[str, set[str]], turn: int
) -> Iterator[Row]:
    """Yield noises for a target out of the first pool that has any; each turn begins at another place."""
    for pool in pools:
        found = False
        for place in range(len(pool)):
            noise = pool[(place + turn) % len(pool)]
            if noise.id != target.id and captions[noise.id].isdisjoint(captions[target.id]):
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
