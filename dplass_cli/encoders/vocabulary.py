"""Detecting sentences that are out of the vocabulary of an encoder with a list of kinds of sound."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

KNOWN = 0.3
"""Probability from which on a kind is known; made-up words stay below 0.1, most held-out wordings exceed 0.5."""

_SIMILAR = 0.7  # ratio of difflib from which on one word may be a misspelling of another


def vocabulary_note(sentence: str, encoder: str, kinds: Mapping[str, float]) -> str | None:
    """A note that an encoder does not know what a sentence describes, with the nearest kind; None if it does.

    ``kinds`` are {kind of sound: probability that the sentence describes it}, the most probable first.
    """
    kind, probability = next(iter(kinds.items()))
    if probability >= KNOWN:
        return None
    known = [word for kind in kinds for word in kind.lower().replace(",", "").split()]
    similar = [
        near for word in sentence.lower().split() for near in difflib.get_close_matches(word, known, 1, _SIMILAR)
    ]
    nearest = f"the nearest kind of sound it knows is {kind!r} ({probability:.0%})"
    hint = f"did you mean {similar[0]!r}?" if similar else nearest
    return f"the {encoder} encoder does not know what {sentence!r} is; {hint}"
