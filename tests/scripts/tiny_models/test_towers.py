"""Training the audio tower of the bundled encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import TinyEncoderConfig
from dplass_cli.sounds import render
from tiny_models.clips import Sound
from tiny_models.towers import fit_audio

KINDS = ("dog_bark", "rain", "siren")


@pytest.fixture
def training_sounds(tmp_path: Path) -> list[Sound]:
    made = []
    for kind in KINDS:
        write_audio(tmp_path / f"{kind}.wav", render(kind, 1, 2.0, 32000)[None], 32000)
        made.append(Sound(str(tmp_path / f"{kind}.wav"), f"data:{kind}", kind, f"data:{kind}", "1"))
    return made


def test_a_stopped_training_goes_on_at_its_checkpoint(training_sounds: list[Sound], tmp_path: Path) -> None:
    config = TinyEncoderConfig(size=8, widths=(4, 8), hidden=8, kinds=KINDS)
    anchors = torch.eye(len(KINDS), 8)

    def fit(checkpoint: Path) -> dict[str, torch.Tensor]:
        return fit_audio(config, anchors, training_sounds, torch.eye(len(KINDS)), 5, checkpoint, every=3).state_dict()

    whole = fit(tmp_path / "audio.ckpt")
    assert torch.load(tmp_path / "audio.ckpt", weights_only=True)["step"] == 3
    resumed = fit(tmp_path / "audio.ckpt")
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
    (tmp_path / "audio.ckpt").unlink()
    assert torch.equal(fit(tmp_path / "audio.ckpt")["project.0.weight"], whole["project.0.weight"])
