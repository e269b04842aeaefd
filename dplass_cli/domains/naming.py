"""Names of domains, made of the words of their captions."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dplass_cli.domains.features import FloatArray, similarities

TYPICAL = 3
_LENGTH = 3  # words of a title
_WHOLE = 5  # most words of a title that covers every caption
_DECIMALS = 5
_READ = 100  # captions that are considered, those with the most clips
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


def titles(domains: Sequence[Mapping[str, int]]) -> list[str]:
    """Return a short title for each domain, {caption: its clips, at least 1}, those nearest to the centroid first.

    A title is made of the words that distinguish the captions of a domain from those of the others and together cover
    as many of its clips as possible: each word counts the clips that the words before it leave uncovered, so that two
    words of one caption do not displace the only word of another. A word's weight is that count times log(1 + mean
    clips of words per domain / its clips in all domains): the class-based TF-IDF of Grootendorst, "BERTopic", 2022
    (equation 2). Forms of a word count as one; function words are left out. Of words of equal weight, those of captions
    nearer to the centroid come first. A title that leaves captions out ends with "and more".
    """
    grouped = [_word_groups(captions) for captions in domains]
    totals = sum((group.forms for groups in grouped for group in groups), Counter[str]())
    mean = totals.total() / len(domains)
    return [
        _title(groups, captions, totals, mean) or next(iter(captions))
        for groups, captions in zip(grouped, domains, strict=True)
    ]


@dataclass
class _WordGroup:
    """A word in all its forms, in one domain.

    Attributes:
        forms: {form: clips of the captions with it}.
        captions: the captions with any of them.
    """

    forms: Counter[str] = field(default_factory=Counter)
    captions: set[str] = field(default_factory=set)


def _word_groups(captions: Mapping[str, int]) -> list[_WordGroup]:
    """The words of the captions with the most clips, in the order in which they occur."""
    read = set(sorted(captions, key=lambda caption: -captions[caption])[:_READ])
    groups: list[_WordGroup] = []
    by_start: dict[str, list[_WordGroup]] = {}  # forms of a word share its first letters
    for caption, clips in captions.items():
        for word in _words(caption) if caption in read else ():
            alike = by_start.setdefault(word[:2], [])
            group = next((each for each in alike if any(_same(word, form) for form in each.forms)), None)
            if group is None:
                alike.append(group := _WordGroup())
                groups.append(group)
            group.forms[word] += clips
            group.captions.add(caption)
    return groups


def _title(groups: Sequence[_WordGroup], captions: Mapping[str, int], totals: Mapping[str, int], mean: float) -> str:
    remaining, covered, chosen = list(groups), set[str](), list[_WordGroup]()
    hidden = set(captions)
    while remaining and len(chosen) < (_WHOLE if hidden else _LENGTH):
        if not any(group.captions - covered for group in remaining):
            covered = set()  # the title covers every caption: the other words compete by all of theirs
        weights = [
            sum(captions[caption] for caption in group.captions - covered)
            * math.log1p(mean / sum(totals[form] for form in group.forms))
            for group in remaining
        ]
        chosen.append(remaining.pop(weights.index(max(weights))))
        covered |= chosen[-1].captions
        hidden -= chosen[-1].captions
    words = [group.forms.most_common(1)[0][0] for group in (chosen[:_LENGTH] if hidden else chosen)]
    title = ", ".join(words) + (" and more" if hidden and words else "")
    return title[:1].upper() + title[1:]


def _words(caption: str) -> list[str]:
    """The words of a caption, without function words, each once, in their order.

    A word of two letters says little by itself, so it is one with the next: "hi hat", "tv noise".
    """
    text = unicodedata.normalize("NFC", caption.lower())
    apart = "".join(character if _in_words(character) or character.isspace() else " , " for character in text)
    words: list[str] = []
    for part in apart.split():
        word = part.lstrip("0123456789_'-").rstrip("'-")
        if words and _is_short(words[-1]) and _is_content(word):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return list(dict.fromkeys(filter(_is_content, words)))


def _is_content(word: str) -> bool:
    return len(word) > 1 and word[0].isalpha() and word not in _STOP_WORDS


def _is_short(word: str) -> bool:
    """Whether a word has two letters; other scripts than Latin write much in two."""
    return len(word) == 2 and word.isascii() and _is_content(word)


def _in_words(character: str) -> bool:
    """Whether words contain a character: letters, digits, and combining marks, which ``\\w`` does not match."""
    return character.isalnum() or character in "_'-" or unicodedata.category(character).startswith("M")


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long == f"{short}s" or (len(short) >= _STEM and long.startswith(short[: max(_STEM, len(short) - 2)]))
