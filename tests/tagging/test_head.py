"""Heads: their scores and their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from level_encoder import LevelEncoder
from safetensors.torch import save_file

from dplass_cli.errors import InputError
from dplass_cli.tagging.head import HeadConfig, TaggingHead, read_head

WEIGHT = np.array([[2.0, 0.0], [0.0, 1.0]], np.float32)
BIAS = np.array([0.0, -1.0], np.float32)


def head(exclusive: bool = False, encoder: str = LevelEncoder.fingerprint) -> TaggingHead:
    return TaggingHead(HeadConfig(("dog", "rain"), exclusive, encoder, 4.0), WEIGHT, BIAS)


def test_labels_of_one_recording_are_independent_or_exclusive() -> None:
    given = np.array([[1.0, 0.0]], np.float32)
    assert head().scores(given)[0].tolist() == pytest.approx([1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(1.0))])
    exclusive = head(exclusive=True).scores(given)[0]
    assert exclusive.tolist() == pytest.approx([np.exp(2.0), np.exp(-1.0)] / (np.exp(2.0) + np.exp(-1.0)))


def test_a_file_gives_the_same_head(tmp_path: Path) -> None:
    head(exclusive=True).save(tmp_path / "head.safetensors")
    found = read_head(tmp_path / "head.safetensors", LevelEncoder())
    assert found.config == HeadConfig(("dog", "rain"), True, "level", 4.0)
    assert np.array_equal(found.weight, WEIGHT)
    assert np.array_equal(found.bias, BIAS)


def test_a_head_of_another_encoder_is_refused(tmp_path: Path) -> None:
    head(encoder="another").save(path := tmp_path / "head.safetensors")
    with pytest.raises(InputError, match=rf"^{path}: was fitted on another encoder \(another…; not level…\); name"):
        read_head(path, LevelEncoder())


def test_another_file_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2, 2)}, path := tmp_path / "base.safetensors")
    with pytest.raises(InputError, match=rf"^{path}: not a tagging head; give the head\.safetensors that"):
        read_head(path, LevelEncoder())
    with pytest.raises(InputError, match=r"gone\.safetensors"):
        read_head(tmp_path / "gone.safetensors", LevelEncoder())


def test_a_head_with_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    given = head()
    TaggingHead(given.config, WEIGHT[:1], BIAS).save(path := tmp_path / "head.safetensors")
    with pytest.raises(InputError, match=rf"^{path}: weight has shape \[1, 2\]"):
        read_head(path, LevelEncoder())
