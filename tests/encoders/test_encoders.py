"""Loading encoders from files, and saving a tiny one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder, save_tiny_encoder
from dplass_cli.errors import InputError
from dplass_cli.resources import resource


def test_a_saved_encoder_gives_the_same_embeddings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = TinyEncoder(TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8))).eval()
    save_tiny_encoder(tmp_path / "e.safetensors", small, torch.float32)
    again = load_encoder(tmp_path / "e.safetensors")
    assert again.fingerprint == small.fingerprint
    assert torch.equal(again.embed_text(["a b"]), small.embed_text(["a b"]))
    assert small.fingerprint != TinyEncoder(small.config).fingerprint


def test_files_without_an_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"x.pt: contains no query encoder"):
        load_encoder(tmp_path / "x.pt")
    with pytest.raises(InputError, match="no such checkpoint"):
        load_encoder(tmp_path / "y.pt")


def test_the_bundled_encoder_is_loaded_by_its_name() -> None:
    by_name, by_path = load_encoder("tiny"), load_encoder(resource("assets/tiny/encoder.safetensors"))
    assert by_name.name == "tiny"
    assert by_name.fingerprint == by_path.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"buckets": 1 << 30}, "buckets must be from 1 to 262144, not 1073741824"),
        ({"hop": 2048}, "a hop of at most n_fft"),
        ({"bucket": 64}, "unknown option 'bucket'; did you mean 'buckets'"),
    ],
)
def test_a_file_with_an_invalid_configuration_is_refused(tmp_path: Path, change: dict[str, int], message: str) -> None:
    small = TinyEncoder(TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8)))
    path = tmp_path / "e.safetensors"
    save_tiny_encoder(path, small)
    config = {"size": 16, "buckets": 64, "word_size": 8, "hidden": 8, "widths": [4, 8], **change}
    save_file(load_file(path), path, {"format": "dplass-tiny-encoder-1", "config": json.dumps(config)})
    with pytest.raises(InputError, match=message):
        load_encoder(path)
