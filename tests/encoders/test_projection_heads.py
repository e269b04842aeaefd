"""Heads over a frozen encoder: their file, and the encoder that it needs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder, save_heads, save_tiny_encoder
from dplass_cli.encoders.projection_heads import ProjectionHead, ProjectionHeads
from dplass_cli.errors import InputError
from dplass_cli.options.encoder_settings import HeadsConfig

SMALL = TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8))


@pytest.fixture
def heads_file(tmp_path: Path) -> Path:
    """Heads with random weights over ``frozen.safetensors`` next to them."""
    torch.manual_seed(0)
    save_tiny_encoder(tmp_path / "frozen.safetensors", TinyEncoder(SMALL))
    frozen = load_encoder(tmp_path / "frozen.safetensors")
    config = HeadsConfig(16, 4, str(tmp_path / "frozen.safetensors"), frozen.fingerprint)
    heads = ProjectionHeads(config)
    for parameter in heads.parameters():
        parameter.data.normal_(std=0.3)
    save_heads(tmp_path / "heads.safetensors", heads)
    return tmp_path / "heads.safetensors"


def test_a_new_head_changes_nothing() -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(3, 16), dim=1)
    torch.testing.assert_close(ProjectionHead(16, 4)(embeddings), embeddings)


def test_embeddings_do_not_depend_on_the_others(heads_file: Path) -> None:
    encoder = load_encoder(heads_file)
    both = encoder.embed_text(["a dog", "rain"])
    assert torch.equal(both[1:], encoder.embed_text(["rain"]))
    torch.testing.assert_close(both.norm(dim=1), torch.ones(2))
    assert encoder.embed_audio([torch.randn(32000)], 32000).shape == (1, 16)
    assert encoder.name == "tiny+heads"


def test_the_frozen_encoder_may_move_with_the_heads(heads_file: Path, tmp_path: Path) -> None:
    before = load_encoder(heads_file).fingerprint
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("heads.safetensors", "frozen.safetensors"):
        shutil.move(tmp_path / name, moved / name)
    assert load_encoder(moved / "heads.safetensors").fingerprint == before


def test_a_missing_frozen_encoder_is_named(heads_file: Path, tmp_path: Path) -> None:
    (tmp_path / "frozen.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"heads\.safetensors: its heads belong to .*frozen\.safetensors, which does not"
    ):
        load_encoder(heads_file)


def test_another_frozen_encoder_is_refused(heads_file: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_tiny_encoder(tmp_path / "frozen.safetensors", TinyEncoder(SMALL))
    with pytest.raises(InputError, match="its heads belong to another encoder than"):
        load_encoder(heads_file)


def test_heads_over_heads_are_refused(heads_file: Path, tmp_path: Path) -> None:
    config = HeadsConfig(16, 4, str(heads_file), load_encoder(heads_file).fingerprint)
    save_heads(tmp_path / "second.safetensors", ProjectionHeads(config))
    with pytest.raises(InputError, match="which has heads itself"):
        load_encoder(tmp_path / "second.safetensors")
    save_heads(heads_file, ProjectionHeads(replace(config)))  # over itself
    with pytest.raises(InputError, match="which does not exist"):
        load_encoder(heads_file)
