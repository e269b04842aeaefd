"""Detecting sentences that are out of the vocabulary of an encoder with a list of kinds of sound."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping

KNOWN = 0.3
"""Probability from which on a kind is known; made-up words stay below 0.1, most held-out wordings exceed 0.5."""

_FUNCTION_WORDS = {
    *("a", "an", "and", "at", "by", "for", "from", "in", "into", "is", "near", "of", "off", "on", "or", "over", "the"),
    *("to", "under", "with"),
}
"""Words that occur in names of kinds and do not name a sound."""

_MISSPELT = 0.25
"""Probability up to which a word may be a misspelling: to the encoder, "breathing" (0.27) is near snoring, and not a
misspelt "eating"."""

_NEAREST = 3
_SIMILAR = 0.7  # ratio of difflib from which on one word may be a misspelling of another
_SHORT = 4  # letters up to which only swapped letters are taken for a misspelling


def vocabulary_note(sentence: str, encoder: str, kinds_of: Callable[[str], Mapping[str, float]]) -> str | None:
    """A note that an encoder does not know what a sentence describes, with the nearest kinds; None if it does.

    A sentence of several known words, such as "dog and rain", is known although no single kind is probable.

    ``kinds_of`` gives {kind of sound: probability that a sentence describes it}, the most probable first.
    """

    def probability(words: str) -> float:
        return next(iter(kinds_of(words).values()))

    said = [word for word in _words(sentence) if word not in _FUNCTION_WORDS]
    unknown = {word: near for word in said if (near := probability(word)) < KNOWN}
    if probability(sentence) >= KNOWN or (said and not unknown):
        return None
    kinds = kinds_of(sentence)
    spelt = {word for kind in kinds for word in _words(kind)} - _FUNCTION_WORDS
    misspelt = [word for word, near in unknown.items() if word not in spelt and near <= _MISSPELT]
    similar = [near for word in misspelt for near in _similar(word, spelt)]
    others = [kind for kind in kinds if not said or not set(said) >= set(_words(kind)) - _FUNCTION_WORDS]
    nearest = ", ".join(map(repr, others[:_NEAREST]))
    hint = f"did you mean {similar[0]!r}?" if similar else f"the nearest that it knows: {nearest}"
    return f"the {encoder} encoder does not know what {sentence!r} is; {hint}"


def _similar(word: str, spelt: Iterable[str]) -> list[str]:
    """The words that a word may be a misspelling of, the most similar first."""
    near = difflib.get_close_matches(word, sorted(spelt), cutoff=_SIMILAR)
    # Too many other words differ from a short one by a letter: "hair" is not a misspelling of "harp".
    return near if len(word) > _SHORT else [other for other in near if sorted(other) == sorted(word)]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
