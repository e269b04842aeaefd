"""The words that an encoder has learnt: whether it can know what a sentence speaks of.

A subword encoder embeds any word of any spelling, so nothing else tells that it has never met one.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from dplass_cli.configuration import from_mapping
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.errors import InputError

WORD = re.compile(r"[^\W_]+")
_ENDINGS = ("ings", "ing", "ers", "ies", "es", "ed", "er", "s", "e", "y")
_SHORTEST_STEM = 3
_COMMON = 0.1  # the share of classes above which a word says nothing of a class
_FUNCTION_WORDS = """
    a an and are around as at away because being by down for from he i in into is it its like near of off on once
    onto or out over past she so some someone something somebody that the them then there they this through to
    together under up very was we were what when where while who with you
"""


@dataclass(frozen=True)
class Vocabulary:
    """What an encoder has learnt.

    Attributes:
        telling: words that name sounds, in order.
        common: words of sentences about many sounds, such as *a* and *sound*, in order.
    """

    telling: tuple[str, ...]
    common: tuple[str, ...]

    def familiarity(self, sentence: str) -> float:
        """The share of a sentence's telling words that were learnt, in any of their inflections; 0 where it has none.

        Of the sentences that an encoder learnt, each has 1.
        """
        asked = self._asked(sentence)
        return sum(stem(word) in self._stems for word in asked) / len(asked) if asked else 0.0

    def spelt_like(self, sentence: str) -> list[str]:
        """Learnt words that are spelt like one of a sentence that was not, best first."""
        words = [word for word in self._asked(sentence) if stem(word) not in self._stems]
        return [near for word in words for near in difflib.get_close_matches(word, self.telling, n=2, cutoff=0.7)]

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(stem(word) for word in self.telling)

    def _asked(self, sentence: str) -> list[str]:
        return [word for word in WORD.findall(sentence.lower()) if word not in self.common]


def vocabulary_of(sentences: Mapping[str, Iterable[str]]) -> Vocabulary:
    """The vocabulary of training sentences, given as {class: its sentences}."""
    by_class = [{word for sentence in said for word in WORD.findall(sentence.lower())} for said in sentences.values()]
    counts = Counter(word for words in by_class for word in words)
    often = {word for word, count in counts.items() if count > max(1.0, _COMMON * len(by_class))}
    common = often.union(_FUNCTION_WORDS.split())
    return Vocabulary(tuple(sorted(counts.keys() - common)), tuple(sorted(common)))


def stem(word: str) -> str:
    """A word without its ending, so that *barks*, *barked* and *barking* are one word."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > _SHORTEST_STEM and word[-1] == word[-2] else word


def read_vocabulary(metadata: Mapping[str, str], where: str) -> Vocabulary | None:
    """The vocabulary in the metadata of an encoder's file; None where it says none.

    Raises:
        InputError: what it says is no vocabulary.
    """
    if "vocabulary" not in metadata:
        return None
    try:
        content = json.loads(metadata["vocabulary"])
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{where}: the vocabulary in its metadata is not a JSON object; fetch the file again")
    return from_mapping(Vocabulary, content, f"{where}: vocabulary")


def unlearnt(sentence: str, encoder: QueryEncoder) -> str | None:
    """Say that an encoder has learnt no word of a sentence, and what it takes it for; None where it knows one.

    Of encoders that keep no list of their words (CLAP has read millions of captions) nothing is said.
    """
    vocabulary = getattr(encoder, "vocabulary", None)
    if not isinstance(vocabulary, Vocabulary) or vocabulary.familiarity(sentence) > 0.0:
        return None
    spelt = vocabulary.spelt_like(sentence)
    if spelt:
        hint = f"did you mean {spelt[0]!r}?"
    else:
        near = encoder.embed_text(vocabulary.telling) @ encoder.embed_text([sentence])[0]
        hint = (
            f"of the words that it knows, {vocabulary.telling[int(near.argmax())]!r} is nearest to what it makes of it"
        )
    return f"the {encoder.name} encoder has not learnt any word of {sentence!r}; {hint}"
