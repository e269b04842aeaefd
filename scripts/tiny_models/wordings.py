"""The training sentences: many wordings for each class."""

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
    """The parts of training sentences.

    Attributes:
        sentences: {AudioSet label: wordings of the class}.
        before: words that may precede any wording.
        after: words that may follow any wording.
    """

    sentences: dict[str, list[str]]
    before: list[str]
    after: list[str]

    def sentence(self, label: str, rng: random.Random) -> str:
        """A sentence about a class, often with other words around it and made-up words inside."""
        words = rng.choice(self.sentences[label]).split()
        words = self._around(words, rng, _PREFIXED, _PREFIXED)
        for _ in range(rng.choice(_EXTRA_WORDS)):
            words.insert(rng.randint(0, len(words)), made_up(rng))
        return " ".join(words)

    def nonsense(self, rng: random.Random) -> str:
        """A sentence that describes no class."""
        words = [made_up(rng) for _ in range(rng.randint(1, 5))]
        return " ".join(self._around(words, rng, _NONSENSE_PREFIXED, _NONSENSE_SUFFIXED))

    def _around(self, words: list[str], rng: random.Random, prefixed: float, suffixed: float) -> list[str]:
        before = rng.choice(self.before).split() if rng.random() < prefixed else []
        after = rng.choice(self.after).split() if rng.random() < suffixed else []
        return [*before, *words, *after]


def made_up(rng: random.Random) -> str:
    """A pronounceable word without a meaning; unknown words look like this to hashed subwords."""
    return "".join(
        rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") + (rng.choice("nrst") if rng.random() < 0.3 else "")
        for _ in range(rng.randint(1, 4))
    )


def read_wordings(data: Path) -> Wordings:
    """All wordings of the clips' table, the built-in sounds and ``wordings.yaml``, except those held out."""
    wordings: dict[str, dict[str, None]] = defaultdict(dict)
    for clip in read_clips(data):
        wordings[clip["audioset_label"]] |= dict.fromkeys([*clip["captions"].split("|"), clip["audioset_label"]])
    for kind in sounds.CATALOGUE:
        wordings[kind.label] |= dict.fromkeys([*kind.captions, kind.label, kind.name.replace("_", " ")])
    own = yaml.safe_load((Path(__file__).parent / "wordings.yaml").read_text(encoding="utf-8"))
    for label, kinds in own["classes"].items():
        wordings[label] |= dict.fromkeys(kinds["sentences"])
        wordings[label] |= dict.fromkeys(template.format(thing) for thing in kinds["things"] for template in TEMPLATES)
    excluded = {wording for reserved in held_out().values() for wording in reserved}
    sentences = {label: [text for text in wordings[label] if text not in excluded] for label in sorted(wordings)}
    return Wordings(sentences, own["before"], own["after"])


def held_out() -> dict[str, list[str]]:
    """The wordings that are kept out of training: {AudioSet label: wordings}."""
    text = (Path(__file__).parent / "held_out.yaml").read_text(encoding="utf-8")
    wordings: dict[str, list[str]] = yaml.safe_load(text)
    return wordings
