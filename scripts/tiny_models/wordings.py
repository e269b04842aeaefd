"""The training sentences: what the classes are called, in many wordings."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml

from dplass_cli import sounds
from tiny_models.clips import read_clips

TEMPLATES = (
    "{}",
    "the sound of {}",
    "{} in the background",
    "sound of {} nearby",
    "I hear {}",
    "a recording of {}",
    "only {}",
)
_PREFIXED, _NONSENSE_PREFIXED, _NONSENSE_SUFFIXED = 0.25, 0.5, 0.3
_EXTRA_WORDS = (0, 0, 0, 1, 2, 3)


@dataclass(frozen=True)
class Wordings:
    """What sentences are made of.

    Attributes:
        sentences: {AudioSet label: what the class is called}.
        before, after: words that may stand around any of it.
    """

    sentences: dict[str, list[str]]
    before: list[str]
    after: list[str]

    def sentence(self, label: str, rng: random.Random) -> str:
        """A sentence about a class, often with other words around, and with words of no meaning among its own."""
        words = rng.choice(self.sentences[label]).split()
        words = self._around(words, rng, _PREFIXED, _PREFIXED)
        for _ in range(rng.choice(_EXTRA_WORDS)):
            words.insert(rng.randint(0, len(words)), made_up(rng))
        return " ".join(words)

    def nonsense(self, rng: random.Random) -> str:
        """A sentence that is about no class."""
        words = [made_up(rng) for _ in range(rng.randint(1, 5))]
        return " ".join(self._around(words, rng, _NONSENSE_PREFIXED, _NONSENSE_SUFFIXED))

    def _around(self, words: list[str], rng: random.Random, prefixed: float, suffixed: float) -> list[str]:
        before = rng.choice(self.before).split() if rng.random() < prefixed else []
        after = rng.choice(self.after).split() if rng.random() < suffixed else []
        return [*before, *words, *after]


def made_up(rng: random.Random) -> str:
    """A pronounceable word of no meaning: what unknown words look like to hashed subwords."""
    return "".join(
        rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") + (rng.choice("nrst") if rng.random() < 0.3 else "")
        for _ in range(rng.randint(1, 4))
    )


def read_wordings(data: Path) -> Wordings:
    """All wordings: of the clips' table, of the built-in sounds, and of ``wordings.yaml``, less those held out."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for clip in read_clips(data):
        found[clip["audioset_label"]] |= dict.fromkeys([*clip["captions"].split("|"), clip["audioset_label"]])
    for kind in sounds.CATALOGUE:
        found[kind.label] |= dict.fromkeys([*kind.captions, kind.label, kind.name.replace("_", " ")])
    own = yaml.safe_load((Path(__file__).parent / "wordings.yaml").read_text(encoding="utf-8"))
    for label, kinds in own["classes"].items():
        found[label] |= dict.fromkeys(kinds["sentences"])
        found[label] |= dict.fromkeys(template.format(thing) for thing in kinds["things"] for template in TEMPLATES)
    aside = {wording for wordings in held_out().values() for wording in wordings}
    sentences = {label: [said for said in found[label] if said not in aside] for label in sorted(found)}
    return Wordings(sentences, own["before"], own["after"])


def held_out() -> dict[str, list[str]]:
    """The wordings that no training sees: {AudioSet label: wordings}."""
    text = (Path(__file__).parent / "held_out.yaml").read_text(encoding="utf-8")
    wordings: dict[str, list[str]] = yaml.safe_load(text)
    return wordings
