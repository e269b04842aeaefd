"""Whether an encoder knows what a sentence speaks of."""

from __future__ import annotations

import difflib

from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.encoders.tiny import TinyEncoder

KNOWN = 0.3  # a kind this probable is meant; of made-up words none reached 0.1, most held-out wordings passed 0.5
_SPELT = 0.7  # likeness of words (difflib's ratio) from which on one may be a slip for the other


def out_of_vocabulary(sentence: str, encoder: QueryEncoder) -> str | None:
    """Say that an encoder does not know what a sentence speaks of, and what is nearest; None where it knows.

    Of encoders that know no list of kinds (CLAP has read millions of captions) nothing is said.
    """
    if not isinstance(encoder, TinyEncoder) or not encoder.config.kinds:
        return None
    kind, probability = next(iter(encoder.kinds_of(sentence).items()))
    if probability >= KNOWN:
        return None
    named = {word: kind for kind in encoder.config.kinds for word in kind.lower().replace(",", "").split()}
    spelt = [near for word in sentence.lower().split() for near in difflib.get_close_matches(word, named, 1, _SPELT)]
    nearest = f"of the kinds of sound it knows, {kind!r} is nearest ({probability:.0%})"
    hint = f"did you mean {spelt[0]!r}?" if spelt else nearest
    return f"the {encoder.name} encoder does not know what {sentence!r} is; {hint}"
