"""Training the audio tower of the bundled encoder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder, save_tiny_encoder
from dplass_cli.sounds import render
from tiny_models.clips import Sound
from tiny_models.towers import train_audio

KINDS = ("dog_bark", "rain", "siren")


@pytest.fixture
def training_sounds(tmp_path: Path) -> list[Sound]:
    """A clip of each kind, and two more of rain: a further clip and a built-in sound."""
    made = []
    for number, (kind, fold) in enumerate([*((kind, "1") for kind in KINDS), ("rain", "2"), ("rain", "")]):
        path = tmp_path / f"{number}.wav"
        write_audio(path, render(kind, number, 3.0, 32000)[None], 32000)
        made.append(Sound(str(path), f"data:{number}", kind, f"data:{number}", fold))
    return made


def test_it_is_trained_to_the_anchors_and_a_finished_training_is_kept(
    training_sounds: list[Sound], tmp_path: Path
) -> None:
    untrained = TinyEncoder(TinyEncoderConfig(size=8, widths=(4, 8), hidden=8, kinds=KINDS)).eval()
    untrained.text.anchors.copy_(torch.eye(len(KINDS), 8))
    save_tiny_encoder(tmp_path / "untrained.safetensors", untrained, torch.float32)
    outputs = [tmp_path / "first.safetensors", tmp_path / "again.safetensors"]
    for output in outputs:
        train_audio(tmp_path / "untrained.safetensors", training_sounds, tmp_path, output, steps=3)
    trained, again = map(load_encoder, outputs)
    assert isinstance(trained, TinyEncoder)
    assert trained.fingerprint == again.fingerprint
    for name, tensor in untrained.text.state_dict().items():
        torch.testing.assert_close(trained.text.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)  # float16
    assert not torch.equal(trained.audio.project[0].weight, untrained.audio.project[0].weight)


def test_kinds_are_drawn_equally_often_and_built_in_sounds_seldom(training_sounds: list[Sound], tmp_path: Path) -> None:
    untrained = TinyEncoder(TinyEncoderConfig(size=8, widths=(4, 8), hidden=8, kinds=KINDS)).eval()
    save_tiny_encoder(tmp_path / "untrained.safetensors", untrained)
    train_audio(
        tmp_path / "untrained.safetensors", training_sounds, tmp_path, tmp_path / "trained.safetensors", steps=1
    )
    weights: Counter[str] = Counter()
    rows = read_manifest(tmp_path / "sounds_by_kind.json")
    for row in rows:
        weights[row.caption] += row.weight  # type: ignore[assignment]
    assert weights == pytest.approx(dict.fromkeys(KINDS, 1.0))
    (built_in,) = (row for row in rows if row.id == "data:4")
    assert built_in.weight == pytest.approx(0.15)
