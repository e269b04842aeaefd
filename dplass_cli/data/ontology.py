"""Which sounds contain each other, by AudioSet's ontology: a bark is a dog, and a dog is an animal.

A clip may interfere with a target only if the query means none of its sounds. The table is
``metadata/audioset_ontology.csv``; a class can have several parents.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dplass_cli.data.csv_tables import filled_rows
from dplass_cli.data.manifest import Row
from dplass_cli.resources import resource

_PARENTHESIS = re.compile(r"\s*\([^)]*\)")


@dataclass(frozen=True, slots=True)
class SoundKinds:
    """The sounds of a clip; created by :func:`kinds_of`.

    Attributes:
        own: machine ids of its classes, and case-folded texts that name no class.
        with_ancestors: the same, and the classes that contain them.
    """

    own: frozenset[str]
    with_ancestors: frozenset[str]

    def related(self, other: SoundKinds) -> bool:
        """Whether the two share a class, or a class of one is an ancestor of a class of the other."""
        return not (self.own.isdisjoint(other.with_ancestors) and other.own.isdisjoint(self.with_ancestors))


@dataclass(frozen=True)
class _Ontology:
    ancestors: dict[str, frozenset[str]]  # of each class, with itself
    by_name: dict[str, frozenset[str]]  # {case-folded name, or one of its synonyms: classes}
    names: dict[str, str]  # {class: name}


@cache
def _ontology() -> _Ontology:
    parents: dict[str, list[str]] = {}
    by_name: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for _, row in filled_rows(resource("metadata/audioset_ontology.csv"), ("mid", "name"), "the ontology"):
        parents[row["mid"]], names[row["mid"]] = row["parents"].split(), row["name"]
        for name in _synonyms(row["name"].casefold()):
            by_name[name].add(row["mid"])

    @cache
    def ancestors(mid: str) -> frozenset[str]:
        return frozenset([mid]).union(*map(ancestors, parents[mid]))

    return _Ontology(
        {mid: ancestors(mid) for mid in parents}, {name: frozenset(mids) for name, mids in by_name.items()}, names
    )


def _synonyms(name: str) -> set[str]:
    """A class's name, and its parts: "whoosh, swoosh, swish", and "frying" of "frying (food)"."""
    plain = _PARENTHESIS.sub("", name)
    parts = {part.strip().removeprefix("and ") for part in plain.split(",")}
    return {name, plain, *parts} - {"etc."}


def class_names() -> dict[str, str]:
    """{machine id: name} of AudioSet's classes."""
    return dict(_ontology().names)


def kinds_of(names: Iterable[str]) -> SoundKinds:
    """The sounds that labels or captions name.

    Args:
        names: machine ids or names of AudioSet's classes, in any case, one of a name's synonyms ("infant cry"), or any
            other text, which is related to itself only.
    """
    ontology = _ontology()
    own: set[str] = set()
    for name in names:
        text = name.strip().casefold()
        own |= {name} if name in ontology.ancestors else ontology.by_name.get(text, {text})
    return SoundKinds(frozenset(own), frozenset(own).union(*(ontology.ancestors.get(kind, ()) for kind in own)))


def kinds_of_clips(rows: Iterable[Row]) -> dict[tuple[str, Path], SoundKinds]:
    """The sounds of each clip, by its labels and all of its captions: {its id and file: kinds}.

    Files that share an id, such as the stems of a song, are the same recording but contain different sounds.
    """
    names: dict[tuple[str, Path], set[str]] = defaultdict(set)
    for row in rows:
        names[row.id, row.wav].update((row.caption, *row.labels))
    kinds = cache(kinds_of)  # millions of clips share few sets of names
    return {clip: kinds(frozenset(found)) for clip, found in names.items()}
