"""The mixtures that a network is quantised on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.encoders import load_encoder
from dplass_cli.errors import InputError
from dplass_cli.options.network_settings import LaSAFTConfig, ResUNet30Config
from dplass_cli.separation.quantization_examples import quantization_examples

CONFIG = ResUNet30Config(condition_size=128, sample_rate=16000)


def manifest(folder: Path, sounds: dict[str, list[float]]) -> Path:
    """A manifest of one clip of noise per caption and amplitude."""
    rows = []
    for caption, amplitudes in sounds.items():
        for amplitude in amplitudes:
            wav = folder / f"{caption}{len(rows)}.wav"
            noise = np.random.default_rng(len(rows)).normal(0, 1, (1, 8000)).astype(np.float32)
            write_audio(wav, amplitude * noise.clip(-3, 3) / 3, 16000, "FLOAT")
            rows.append(Row(wav, caption))
    write_manifest(folder / "train.json", rows)
    return folder / "train.json"


def test_built_in_mixtures_are_the_same_every_time() -> None:
    encoder = load_encoder()
    examples, again = (quantization_examples("built-in", encoder, CONFIG) for _ in range(2))
    assert torch.equal(examples.mixtures, again.mixtures)
    assert examples.mixtures.shape == (48, 1, 40960)
    assert examples.conditions.shape == (48, 128)
    assert [*examples.calibrating, *examples.validating] == list(range(48))


def test_clips_of_a_manifest_are_mixed_with_clips_of_other_captions(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"rain": [0.5, 0.5], "a dog": [0.5]})
    encoder = load_encoder()
    examples = quantization_examples(str(path), encoder, CONFIG)
    texts = encoder.embed_text(["rain", "a dog"])
    assert {int((texts @ condition).argmax()) for condition in examples.conditions} == {0, 1}
    assert len(examples) == 48


def test_networks_that_separate_stereo_get_stereo_mixtures(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"vocals": [0.5], "drums": [0.5]})
    config = LaSAFTConfig(sample_rate=16000)
    examples = quantization_examples(str(path), load_encoder("source-names"), config)
    assert examples.mixtures.shape == (48, 2, 40960)
    assert examples.conditions.shape == (48, 4)


def test_sources_by_name_are_all_asked_for_in_built_in_music() -> None:
    examples = quantization_examples("built-in", load_encoder("source-names"), LaSAFTConfig(sample_rate=16000))
    assert examples.mixtures.shape == (48, 2, 40960)
    assert examples.conditions.sum(dim=0).min() > 4


def test_captions_that_the_encoder_does_not_know_are_refused(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"rain": [0.5], "a dog": [0.5]})
    with pytest.raises(InputError, match=r"--calibrate .*train.json: .* does not name one source"):
        quantization_examples(str(path), load_encoder("source-names"), LaSAFTConfig(sample_rate=16000))


def test_mixtures_have_the_input_level_of_the_network(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"rain": [0.01], "a dog": [0.01]})
    quiet, loud = (
        quantization_examples(str(path), load_encoder(), replace(CONFIG, input_level_db=level)) for level in (None, -20)
    )
    assert (loud.mixtures.norm(dim=2) / quiet.mixtures.norm(dim=2)).min() > 5


@pytest.mark.parametrize("sounds", [{"rain": [0.5, 0.5]}, {"rain": [0.5], "a dog": [0.0]}])
def test_a_manifest_without_two_sounds_is_refused(tmp_path: Path, sounds: dict[str, list[float]]) -> None:
    with pytest.raises(InputError, match=r"--calibrate .*train.json: no mixtures; give clips of at least two sounds"):
        quantization_examples(str(manifest(tmp_path, sounds)), load_encoder(), CONFIG)
