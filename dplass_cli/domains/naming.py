"""Names for domains, made of what their captions say and of nothing else."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from dplass_cli.domains.features import FloatArray, similarities

TYPICAL = 3
_LENGTH = 3
_DECIMALS = 5
_READ = 30  # of the captions nearest the centroid
_STEM = 4  # words that begin with the same four letters and one with the other are one: bark, barking
_FUNCTION_WORDS = """
a about after all also am an and another any are around as at be because been before behind being below between both
but by can could did do does down during each few for from had has have he her him his how if in into is it its just
like many more most much near no not of off on one only onto or other others out over own she so some someone
something somewhere such than that the their them then there these they this those through to together too two up
upon very via was were what when where which while who whose will with within without would
"""
_SAY_NOTHING = frozenset(_FUNCTION_WORDS.split())


def nearest(captions: Sequence[str], vectors: FloatArray, centroid: FloatArray) -> tuple[str, ...]:
    """The captions (C) in the order of their likeness to the centroid (D,): vectors float64 (C, D).

    Equally like ones, such as captions of the same clips, stay in their order whatever the last digits of an encoder
    that ran on more threads.
    """
    likeness = similarities(vectors, centroid[None])[:, 0].round(_DECIMALS)
    return tuple(captions[position] for position in np.argsort(-likeness, kind="stable"))


def titles(domains: Sequence[Sequence[str]]) -> list[str]:
    """A short title for each domain: the words that tell the captions nearest its centroid from those of the others.

    A word's weight is its count in the domain times log(1 + mean words a domain / its count in all), the class-based
    TF-IDF of Grootendorst, "BERTopic", 2022 (equation 2); a word counts once a caption, and function words do not. Of
    words with the same weight those of captions nearer to the centroid come first.

    Args:
        domains: of each its captions, those nearest the centroid first.
    """
    read = [captions[:_READ] for captions in domains]
    counts = [Counter(chain.from_iterable(map(_words, captions))) for captions in read]
    said = sum(counts, Counter[str]())
    mean = said.total() / len(domains)
    return [
        _title({word: count * math.log1p(mean / said[word]) for word, count in counted.items()}) or captions[0]
        for counted, captions in zip(counts, read, strict=True)
    ]


def _words(caption: str) -> list[str]:
    """The words of a caption that say something, each once, in their order."""
    text = unicodedata.normalize("NFC", caption.lower())
    parts = "".join(sign if _is_of_a_word(sign) else " " for sign in text).split()
    words = dict.fromkeys(part.lstrip("0123456789_'-").rstrip("'-") for part in parts)
    return [word for word in words if len(word) > 1 and word[0].isalpha() and word not in _SAY_NOTHING]


def _is_of_a_word(sign: str) -> bool:
    """Letters and digits, and the marks that some scripts write vowels with, which no regular expression knows."""
    return sign.isalnum() or sign in "_'-" or unicodedata.category(sign).startswith("M")


def _title(weights: Mapping[str, float]) -> str:
    chosen: list[str] = []
    for word in sorted(weights, key=lambda word: -weights[word]):
        if len(chosen) < _LENGTH and not any(_same(word, other) for other in chosen):
            chosen.append(word)
    title = ", ".join(chosen)
    return title[:1].upper() + title[1:]


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long == f"{short}s" or (len(short) >= _STEM and long.startswith(short[: max(_STEM, len(short) - 2)]))
