"""The kinds of sound that the bundled models are trained on, and the training sentences about them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Kind:
    """A kind of sound.

    Attributes:
        name: its name, such as "dog bark".
        group: the group that it is listed in, such as "animals".
        categories: the classes of ``clips.csv`` whose clips it contains.
        builtin: the built-in sounds that it contains.
        alike: names of sets of kinds that sound alike; kinds that share one are never mixed.
        things: noun phrases that name it.
        sentences: sentences that describe it.
        further: other texts that mean it, which only the text tower learns.
    """

    name: str
    group: str
    categories: tuple[str, ...]
    builtin: tuple[str, ...]
    alike: tuple[str, ...]
    things: tuple[str, ...]
    sentences: tuple[str, ...]
    further: tuple[str, ...] = ()

    @property
    def wordings(self) -> tuple[str, ...]:
        """Everything it is called."""
        return tuple(dict.fromkeys((self.name, *self.things, *self.sentences)))

    @property
    def alike_sets(self) -> frozenset[str]:
        """The sets of alike kinds that it is in, its own among them; kinds that share one sound alike."""
        return frozenset({self.name, *self.alike})


@dataclass(frozen=True)
class Carriers:
    """Words that a user may put around a description.

    Attributes:
        before: what may precede it.
        after: what may follow it.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]

    def around(self, wording: str, rng: random.Random, share: float = 0.3) -> str:
        """A wording with words before it, after it, both or neither."""
        before = f"{rng.choice(self.before)} " if rng.random() < share else ""
        after = f" {rng.choice(self.after)}" if rng.random() < share else ""
        return f"{before}{wording}{after}"


def read_kinds() -> tuple[tuple[Kind, ...], Carriers]:
    """The table of kinds (``kinds.yaml``, ``further_wordings.yaml``), and the words around descriptions."""
    table = yaml.safe_load((FOLDER / "kinds.yaml").read_text(encoding="utf-8"))
    further = _read("further_wordings.yaml")
    kinds = [
        Kind(
            name,
            entry["group"],
            tuple(entry.get("categories", ())),
            tuple(entry.get("builtin", ())),
            tuple(entry["alike"]),
            tuple(entry["things"]),
            tuple(entry["sentences"]),
            tuple(further[name]),
        )
        for name, entry in table["kinds"].items()
    ]
    return tuple(kinds), Carriers(tuple(table["before"]), tuple(table["after"]))


def alike_by_name(kinds: Sequence[Kind]) -> dict[str, frozenset[str]]:
    """Names of the sets of alike kinds, by class of ``clips.csv`` and by built-in sound; its own kind's is one of them.

    Sounds that share one are never mixed.
    """
    return {name: kind.alike_sets for kind in kinds for name in (*kind.categories, *kind.builtin)}


def held_out() -> Mapping[str, list[str]]:
    """Wordings kept out of training, written to be hard: {kind: wordings}."""
    return _read("held_out.yaml")


def ordinary_wordings() -> Mapping[str, list[str]]:
    """Other wordings kept out of training, as users and annotators describe sounds: {kind: wordings}."""
    return _read("ordinary_wordings.yaml")


def held_out_words() -> Mapping[str, list[str]]:
    """Words of sounds that are not a kind: {word: the related kinds}; no kind is worded with them."""
    return _read("held_out_words.yaml")


def editors_words() -> list[str]:
    """Words that users of sound editors ask for, whether they name a kind or not (``editors_words.txt``)."""
    return _lines("editors_words.txt")


def without_kind() -> list[str]:
    """Words of recording and mixing, and of sounds that resemble none of the kinds (``without_kind.txt``).

    The text tower learns that it does not know them.
    """
    return _lines("without_kind.txt")


def _lines(name: str) -> list[str]:
    return (FOLDER / name).read_text(encoding="utf-8").splitlines()


def _read(name: str) -> dict[str, list[str]]:
    read: dict[str, list[str]] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return read


def made_up(rng: random.Random) -> str:
    """A pronounceable word without a meaning; unknown words look like this to hashed subwords."""
    return "".join(
        rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") + (rng.choice("nrst") if rng.random() < 0.3 else "")
        for _ in range(rng.randint(1, 4))
    )
