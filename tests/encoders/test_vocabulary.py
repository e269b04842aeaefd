"""The words that an encoder has learnt."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder, save_tiny_encoder
from dplass_cli.encoders.vocabulary import Vocabulary, stem, unlearnt, vocabulary_of
from dplass_cli.errors import InputError

SENTENCES = {
    "Bark": ["a dog barking", "the sound of a dog"],
    "Rain": ["rain falling", "the sound of rain"],
    "Xylophone": ["a xylophone", "the sound of mallets on wood"],
}
SMALL = TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8))


@pytest.fixture
def learnt() -> Vocabulary:
    return vocabulary_of(SENTENCES)


def test_words_of_many_sounds_tell_nothing(learnt: Vocabulary) -> None:
    assert learnt.telling == ("barking", "dog", "falling", "mallets", "rain", "wood", "xylophone")
    assert {"sound", "the", "of", "a"} < set(learnt.common)


def test_familiarity_is_the_share_of_known_words(learnt: Vocabulary) -> None:
    for sentence in (sentence for said in SENTENCES.values() for sentence in said):
        assert learnt.familiarity(sentence) == 1.0
    asked = {"The DOGS barked!": 1.0, "a purple dog": 0.5, "xylofoon": 0.0, "犬": 0.0, "the sound of it": 0.0, "": 0.0}
    for sentence, familiarity in asked.items():
        assert learnt.familiarity(sentence) == familiarity


def test_inflections_are_one_word() -> None:
    assert {stem(word) for word in ("bark", "barks", "barked", "barking")} == {"bark"}
    assert stem("hums") == stem("humming")
    assert stem("bus") == "bus"  # too short to lose an ending


def test_what_was_not_learnt_is_said_with_what_is_near(learnt: Vocabulary) -> None:
    encoder = TinyEncoder(SMALL).eval()
    assert unlearnt("xylofoon", encoder) is None  # nothing is known of what it has learnt
    encoder.vocabulary = learnt
    assert unlearnt("a dog", encoder) is None
    said = unlearnt("xylofoon", encoder)
    assert said == "the tiny encoder has not learnt any word of 'xylofoon'; did you mean 'xylophone'?"
    said = unlearnt("zzz", encoder)
    assert said is not None
    assert any(repr(word) in said for word in learnt.telling)


def test_words_are_kept_with_the_weights(learnt: Vocabulary, tmp_path: Path) -> None:
    encoder = TinyEncoder(SMALL).eval()
    fingerprint = encoder.fingerprint
    encoder.vocabulary = learnt
    save_tiny_encoder(tmp_path / "e.safetensors", encoder)
    again = load_encoder(tmp_path / "e.safetensors")
    assert isinstance(again, TinyEncoder)
    assert again.vocabulary == learnt
    assert encoder.fingerprint == fingerprint


def test_a_damaged_vocabulary_is_told(tmp_path: Path) -> None:
    save_tiny_encoder(tmp_path / "e.safetensors", TinyEncoder(SMALL))
    tensors = load_file(tmp_path / "e.safetensors")
    about = {
        "format": "dplass-tiny-encoder-1",
        "config": '{"size": 16, "buckets": 64, "word_size": 8, "hidden": 8, "widths": [4, 8]}',
    }
    for vocabulary in ("[1]", '{"words": []}'):
        save_file(tensors, tmp_path / "e.safetensors", {**about, "vocabulary": vocabulary})
        with pytest.raises(InputError, match=r"e\.safetensors.*vocabulary"):
            load_encoder(tmp_path / "e.safetensors")


def test_the_bundled_encoder_knows_its_words() -> None:
    encoder = load_encoder()
    assert isinstance(encoder, TinyEncoder)
    assert encoder.vocabulary is not None, "run scripts/train_tiny.py DATA WORK --stage words"
    assert encoder.vocabulary.familiarity("a dog barking") == 1.0
    assert encoder.vocabulary.familiarity("didgeridoo") == 0.0
