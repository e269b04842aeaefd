"""The table of kinds: no text is in two of its lists, and none that is kept out of training is in any."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from dplass_cli.encoders import load_encoder
from tiny_models.kinds import Kind, editors_words, held_out, held_out_words, ordinary_wordings, read_kinds, without_kind


def plain(text: str) -> str:
    """A text without case, punctuation and articles."""
    return " ".join(word for word in re.findall(r"[^\W_]+", text.lower()) if word not in ("a", "an", "the"))


@pytest.fixture(scope="module")
def kinds() -> tuple[Kind, ...]:
    return read_kinds()[0]


def test_wordings_that_are_kept_out_are_in_no_list(kinds: tuple[Kind, ...]) -> None:
    trained = {plain(text): kind.name for kind in kinds for text in (*kind.wordings, *kind.further)}
    kept_out = [text for lists in (held_out(), ordinary_wordings()) for texts in lists.values() for text in texts]
    assert {text: trained[plain(text)] for text in kept_out if plain(text) in trained} == {}
    assert [text for text, times in Counter(map(plain, kept_out)).items() if times > 1] == []


def test_words_that_are_kept_out_are_in_no_list(kinds: tuple[Kind, ...]) -> None:
    trained = {word for kind in kinds for text in (*kind.wordings, *kind.further) for word in plain(text).split()}
    absent = [word for word in held_out_words() if set(plain(word).split()) <= trained]
    assert absent == []


def test_texts_without_a_kind_are_in_no_list(kinds: tuple[Kind, ...]) -> None:
    known = {plain(text) for kind in kinds for text in (*kind.wordings, *kind.further)}
    known |= {plain(text) for texts in held_out().values() for text in texts} | {*held_out_words()}
    texts = [plain(text) for text in without_kind()]
    assert [text for text, times in Counter(texts).items() if times > 1] == []
    assert [text for text in texts if text in known] == []


def test_no_further_wording_means_two_kinds(kinds: tuple[Kind, ...]) -> None:
    count = Counter(plain(text) for kind in kinds for text in kind.further)
    assert [text for text, times in count.items() if times > 1] == []
    assert [text for kind in kinds for text in kind.further if text in kind.wordings] == []


def test_each_kind_has_further_wordings(kinds: tuple[Kind, ...]) -> None:
    assert [kind.name for kind in kinds if len(kind.further) < 20] == []


@pytest.mark.parametrize("word", ["reverb", "echo"])
def test_what_rooms_do_to_every_sound_means_no_kind(word: str, kinds: tuple[Kind, ...]) -> None:
    count = Counter(kind.name for kind in kinds for text in (*kind.wordings, *kind.further) if word in text.lower())
    assert max(count.values()) <= count.total() / 3


def test_the_bundled_encoder_knows_the_words_of_editors() -> None:
    encoder, words = load_encoder("tiny"), editors_words()
    assert len(words) == len(set(words)) == 99
    assert len([word for word in words if encoder.out_of_vocabulary(word)]) <= 12
