"""The encoder of networks that know a few sources by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lasaft_checkpoints import write_small
from safetensors.torch import save_file
from small_networks import FOUR_SOURCES, SMALL_LASAFT, small_lasaft

from dplass_cli.encoders import SourceNamesEncoder, load_encoder
from dplass_cli.errors import InputError


def test_a_name_selects_its_source_in_the_published_order() -> None:
    embedded = SourceNamesEncoder().embed_text(["vocals", "drums", "bass", "other"])
    assert torch.equal(embedded, torch.eye(4))


@pytest.mark.parametrize("sentence", ["Drums", "the drums", "a drum, please"])
def test_other_words_and_case_do_not_matter(sentence: str) -> None:
    assert SourceNamesEncoder().embed_text([sentence])[0].tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("sentence", ["a violin", "vocals and drums", ""])
def test_a_sentence_that_does_not_name_one_source_is_refused(sentence: str) -> None:
    encoder = SourceNamesEncoder()
    with pytest.raises(InputError, match="this model separates vocals, drums, bass and other; ask for one of them"):
        encoder.embed_text([sentence])
    assert encoder.out_of_vocabulary(sentence) is not None
    assert encoder.out_of_vocabulary("bass") is None


def test_sounds_cannot_be_embedded() -> None:
    assert not SourceNamesEncoder.embeds_audio
    with pytest.raises(InputError, match="by name only"):
        SourceNamesEncoder().embed_audio(torch.zeros(1, 100), 44100)


def test_no_sentences_have_no_embeddings() -> None:
    assert SourceNamesEncoder().embed_text([]).shape == (0, 4)


def test_a_checkpoint_of_four_sources_contains_the_encoder(tmp_path: Path) -> None:
    network = small_lasaft(config=FOUR_SOURCES)
    save_file(network.state_dict(), tmp_path / "base.safetensors")
    for path in (write_small(tmp_path / "a.ckpt", network), tmp_path / "base.safetensors"):
        assert load_encoder(path).fingerprint == SourceNamesEncoder().fingerprint


def test_a_checkpoint_that_was_trained_with_sentences_contains_none(tmp_path: Path) -> None:
    save_file(small_lasaft(config=SMALL_LASAFT).state_dict(), tmp_path / "base.safetensors")
    with pytest.raises(InputError, match="contains no query encoder"):
        load_encoder(tmp_path / "base.safetensors")


def test_it_is_loaded_by_name_without_a_checkpoint() -> None:
    assert load_encoder("source-names").fingerprint == SourceNamesEncoder().fingerprint
