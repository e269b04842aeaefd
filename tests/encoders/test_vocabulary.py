"""Sentences that the bundled encoder does not know."""

from __future__ import annotations

import pytest

from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder
from dplass_cli.encoders.vocabulary import vocabulary_note


@pytest.fixture(scope="module")
def tiny() -> TinyEncoder:
    encoder = load_encoder("tiny")
    assert isinstance(encoder, TinyEncoder)
    return encoder


@pytest.mark.parametrize("sentence", ["a dog barking", "Please, only the RAIN!", "dog and rain"])
def test_known_sentences_get_no_note(tiny: TinyEncoder, sentence: str) -> None:
    assert tiny.out_of_vocabulary(sentence) is None


@pytest.mark.parametrize("word", ["quandling", "flumping", "snorfing", "blorping", "zarking", "plastic", "enormous"])
def test_an_unknown_word_beside_a_known_one_gets_no_note(tiny: TinyEncoder, word: str) -> None:
    assert tiny.out_of_vocabulary(f"the {word} dog") is None


@pytest.mark.parametrize("sentence", ["qwrtz", "犬", "the", ""])
def test_unknown_sentences_get_a_note_with_the_nearest_kind(tiny: TinyEncoder, sentence: str) -> None:
    note = tiny.out_of_vocabulary(sentence)
    assert note is not None
    assert note.startswith(f"the tiny encoder does not know what {sentence!r} is; ")
    assert any(repr(kind) in note for kind in tiny.config.kinds)


def test_a_misspelling_is_corrected(tiny: TinyEncoder) -> None:
    note = tiny.out_of_vocabulary("saxaphone")
    assert note is not None
    assert note.endswith("did you mean 'saxophone'?")


@pytest.mark.parametrize("sentence", ["reverb", "remove the reverb", "room tone", "the left channel", "a zipper"])
def test_texts_without_a_kind_are_unknown(tiny: TinyEncoder, sentence: str) -> None:
    assert tiny.out_of_vocabulary(sentence) is not None


@pytest.mark.parametrize("word", ["breathing", "feedback"])
def test_a_word_that_is_like_a_kind_is_no_misspelling(tiny: TinyEncoder, word: str) -> None:
    note = tiny.out_of_vocabulary(word)
    assert note is not None
    assert "the nearest that it knows: " in note


@pytest.mark.parametrize("sentence", ["dog and rain", "and", "bark, with rain", "a mnd"])
def test_words_that_are_known_or_name_no_sound_are_not_corrected(sentence: str) -> None:
    note = vocabulary_note(sentence, "tiny", lambda words: {"Rain and wind": 0.2, "Dog bark": 0.1})
    assert note is not None
    assert note.endswith("the nearest that it knows: 'Rain and wind', 'Dog bark'")


def test_the_nearest_never_repeat_the_sentence() -> None:
    kinds = {"Car": 0.25, "Car horn": 0.2, "Engine": 0.1, "Truck": 0.05, "Rain": 0.0}
    note = vocabulary_note("a car", "tiny", lambda words: kinds)
    assert note is not None
    assert note.endswith("does not know what 'a car' is; the nearest that it knows: 'Car horn', 'Engine', 'Truck'")


def test_only_the_misspelt_word_of_a_sentence_is_corrected() -> None:
    note = vocabulary_note("dog and rian", "tiny", lambda words: {"Dog bark": 0.2, "Rain and wind": 0.1})
    assert note is not None
    assert note.endswith("did you mean 'rain'?")


def test_another_short_word_is_not_taken_for_a_misspelling() -> None:
    note = vocabulary_note("hair dryer", "tiny", lambda words: {"Harp": 0.2, "Vacuum cleaner": 0.1})
    assert note is not None
    assert note.endswith("the nearest that it knows: 'Harp', 'Vacuum cleaner'")


def test_an_encoder_without_kinds_gives_no_notes() -> None:
    small = TinyEncoder(TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8))).eval()
    assert small.out_of_vocabulary("saxaphone") is None


def test_the_kinds_are_probabilities_in_descending_order(tiny: TinyEncoder) -> None:
    kinds = tiny.kinds_of("a dog barking")
    assert sum(kinds.values()) == pytest.approx(1.0, abs=1e-5)
    assert next(iter(kinds)) == "dog bark"
    assert list(kinds.values()) == sorted(kinds.values(), reverse=True)
    assert set(kinds) == set(tiny.config.kinds)


def test_a_known_word_is_not_corrected_beside_an_unknown_one() -> None:
    def kinds_of(words: str) -> dict[str, float]:
        return {"Bark": 0.9 if words == "dog" else 0.1, "Ding-dong": 0.05}

    note = vocabulary_note("dog and gronk", "tiny", kinds_of)
    assert note is not None
    assert note.endswith("the nearest that it knows: 'Bark', 'Ding-dong'")
