"""Names of domains, made of the words of their captions."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from dplass_cli.domains.features import FloatArray, similarities

TYPICAL = 3
_LENGTH = 3  # words of a title
_DECIMALS = 5
_READ = 30  # captions nearest to the centroid that are considered
_STEM = 4  # letters that a word must share with a longer form of it: bark, barking
_FUNCTION_WORDS = """
a about after all also am an and another any are around as at be because been before behind being below between both
but by can could did do does down during each few for from had has have he her him his how if in into is it its just
like many more most much near no not of off on one only onto or other others out over own she so some someone
something somewhere such than that the their them then there these they this those through to together too two up
upon very via was were what when where which while who whose will with within without would
"""
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())


def nearest(captions: Sequence[str], vectors: FloatArray, centroid: FloatArray) -> tuple[str, ...]:
    """Sort captions by the cosine of their vectors (C, D) with a centroid (D,), all of unit norm, the largest first.

    Captions with equal cosines, such as captions of the same clips, stay in their order. Cosines are rounded, because
    their last digits depend on the number of threads of the encoder.
    """
    likeness = similarities(vectors, centroid[None])[:, 0].round(_DECIMALS)
    return tuple(captions[position] for position in np.argsort(-likeness, kind="stable"))


def titles(domains: Sequence[Sequence[str]]) -> list[str]:
    """Return a short title for each domain, of its captions, those nearest to the centroid first.

    A title is the words that distinguish the typical captions of a domain from those of the others. A word's weight is
    its count in the domain times log(1 + mean words per domain / its count in all domains): the class-based TF-IDF of
    Grootendorst, "BERTopic", 2022 (equation 2). A word counts once per caption; function words are left out. Among
    words of equal weight, those of captions nearer to the centroid come first. scikit-learn's vectorisers sort the
    words of all domains alphabetically, which would lose that order.
    """
    read = [captions[:_READ] for captions in domains]
    counts = [Counter(chain.from_iterable(map(_words, captions))) for captions in read]
    total = sum(counts, Counter[str]())
    mean = total.total() / len(domains)
    return [
        _title({word: count * math.log1p(mean / total[word]) for word, count in counted.items()}) or captions[0]
        for counted, captions in zip(counts, read, strict=True)
    ]


def _words(caption: str) -> list[str]:
    """The words of a caption, without function words, each once, in their order."""
    text = unicodedata.normalize("NFC", caption.lower())
    parts = "".join(character if _in_words(character) else " " for character in text).split()
    words = dict.fromkeys(part.lstrip("0123456789_'-").rstrip("'-") for part in parts)
    return [word for word in words if len(word) > 1 and word[0].isalpha() and word not in _STOP_WORDS]


def _in_words(character: str) -> bool:
    """Whether words contain a character: letters, digits, and combining marks, which ``\\w`` does not match."""
    return character.isalnum() or character in "_'-" or unicodedata.category(character).startswith("M")


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
