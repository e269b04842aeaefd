"""Whether the bundled encoder knows what a sentence speaks of."""

from __future__ import annotations

import pytest

from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder
from dplass_cli.encoders.vocabulary import out_of_vocabulary


@pytest.fixture(scope="module")
def tiny() -> TinyEncoder:
    encoder = load_encoder("tiny")
    assert isinstance(encoder, TinyEncoder)
    return encoder


@pytest.mark.parametrize("sentence", ["a dog barking", "Please, only the RAIN!", "the wrombling dog by the gronk"])
def test_of_what_it_knows_nothing_is_said(tiny: TinyEncoder, sentence: str) -> None:
    assert out_of_vocabulary(sentence, tiny) is None


@pytest.mark.parametrize("sentence", ["gronk wobulate", "犬", "the", ""])
def test_what_it_does_not_know_is_said_with_what_is_near(tiny: TinyEncoder, sentence: str) -> None:
    said = out_of_vocabulary(sentence, tiny)
    assert said is not None
    assert said.startswith(f"the tiny encoder does not know what {sentence!r} is; ")
    assert any(repr(kind) in said for kind in tiny.config.kinds)


def test_a_slip_of_the_pen_is_mended(tiny: TinyEncoder) -> None:
    said = out_of_vocabulary("xylofoon", tiny)
    assert said is not None
    assert said.endswith("did you mean 'xylophone'?")


def test_nothing_is_said_of_encoders_without_kinds() -> None:
    small = TinyEncoder(TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8))).eval()
    assert out_of_vocabulary("xylofoon", small) is None


def test_kinds_are_probabilities(tiny: TinyEncoder) -> None:
    kinds = tiny.kinds_of("a dog barking")
    assert sum(kinds.values()) == pytest.approx(1.0, abs=1e-5)
    assert next(iter(kinds)) == "Bark"
    assert list(kinds.values()) == sorted(kinds.values(), reverse=True)
    assert set(kinds) == set(tiny.config.kinds)
