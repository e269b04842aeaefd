"""Names for domains, made of what their captions say and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from dplass_cli.domains.features import FloatArray, similarities

TYPICAL = 3
_WORDS = 3
_DECIMALS = 5
_READ = 30  # of the captions nearest the centroid
# Not scikit-learn's list, which takes "fire" and "cry" for words that say nothing.
_FUNCTION_WORDS = """
    a about after all also am an and another any are around as at be because been before behind being below
    between both but by can could did do does down during each few for from had has have he her him his how if
    in into is it its just like many more most much near no not of off on one only onto or other others out over
    own she so some someone something somewhere such than that the their them then there these they this those
    through to together too two up upon very via was were what when where which while who whose will with within
    without would
"""
_WORD = r"(?u)\b[^\W\d_][\w'-]+\b"
_STEM = 4  # words that begin with the same four letters and one with the other are one: bark, barking


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
    TF-IDF of Grootendorst, "BERTopic", 2022 (equation 2); a word counts once a caption, and function words do not.

    Args:
        domains: of each its captions, those nearest the centroid first.
    """
    read = [list(captions[:_READ]) for captions in domains]
    vectorizer = CountVectorizer(
        binary=True, stop_words=_FUNCTION_WORDS.split(), token_pattern=r"(?u)\b[^\W\d_][\w'-]+\b"
    )
    try:
        table = vectorizer.fit_transform([caption for captions in read for caption in captions]).toarray()
    except ValueError:  # no caption has a word
        return [captions[0] for captions in read]
    words = vectorizer.get_feature_names_out()
    parts = np.split(table, np.cumsum([len(captions) for captions in read])[:-1])
    counts = np.stack([part.sum(axis=0) for part in parts]).astype(np.float64)
    weights = counts * np.log1p(counts.sum() / len(counts) / counts.sum(axis=0))
    return [_title(words, row, captions[0]) for row, captions in zip(weights, read, strict=True)]


def _title(words: Sequence[str], weights: FloatArray, otherwise: str) -> str:
    chosen: list[str] = []
    for position in np.argsort(-weights, kind="stable"):
        word = str(words[position])
        if weights[position] <= 0 or len(chosen) == _WORDS:
            break
        if not any(_same(word, other) for other in chosen):
            chosen.append(word)
    title = ", ".join(chosen) or otherwise
    return title[0].upper() + title[1:]


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long == f"{short}s" or (len(short) >= _STEM and long.startswith(short[: max(_STEM, len(short) - 2)]))
