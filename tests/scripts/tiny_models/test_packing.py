"""A training in a few small files: the archive's parts, the checkpoint, the clips."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.resources import resource
from dplass_cli.sounds import render
from tiny_models.packing import CHECKPOINT, ENCODER, grow, join, pack, pack_state, shrink, split, unpack


def checkpoint(path: Path) -> dict[str, Any]:
    """The state of an optimiser after a step, as Lightning saves it."""
    network = torch.nn.Conv2d(8, 16, 3)
    optimizer = torch.optim.AdamW(network.parameters(), amsgrad=True)
    network(torch.randn(1, 8, 4, 4)).square().sum().backward()
    optimizer.step()
    state = {
        "state_dict": {f"network.{name}": value.detach() for name, value in network.named_parameters()},
        "optimizer_states": [optimizer.state_dict()],
        "global_step": 7,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return state


def test_an_archive_is_joined_from_its_parts_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    content = np.random.default_rng(0).bytes(50_000)
    (tmp_path / "folder" / "inner" / "file").write_bytes(content)
    parts = split(tmp_path / "folder", tmp_path / "parts", 20_000)
    assert [part.name for part in parts] == ["part.000", "part.001", "part.002", "part.003"]
    assert max(part.stat().st_size for part in parts) == 20_000
    join(parts[::-1], tmp_path / "joined")
    assert (tmp_path / "joined" / "inner" / "file").read_bytes() == content


def test_a_checkpoint_keeps_its_numbers_to_half_precision(tmp_path: Path) -> None:
    before = checkpoint(tmp_path / "last.ckpt")
    shrink(tmp_path / "last.ckpt", tmp_path / "small")
    grow(tmp_path / "small", tmp_path / "again" / "last.ckpt")
    after = torch.load(tmp_path / "again" / "last.ckpt", weights_only=True)
    assert after["global_step"] == 7
    for name, value in before["state_dict"].items():
        torch.testing.assert_close(after["state_dict"][name], value, rtol=1e-3, atol=1e-4)
    moments = before["optimizer_states"][0]["state"]
    for key, own in after["optimizer_states"][0]["state"].items():
        assert own.keys() == moments[key].keys()
        for name, value in own.items():
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, moments[key][name], rtol=1e-2, atol=1e-6)
    stored = sum(path.stat().st_size for path in (tmp_path / "small").glob("*.safetensors"))
    assert stored < 0.55 * (tmp_path / "last.ckpt").stat().st_size


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of a clip in fold 1 and one in fold 4."""
    folder = tmp_path / "corpus"
    rows = [{"filename": f"{fold}-dog.wav", "fold": str(fold), "category": "dog_bark"} for fold in (1, 4)]
    for row in rows:
        write_audio(folder / "audio" / row["filename"], 0.5 * render("dog_bark", 1, 2.0, 32000)[None], 32000)
    with open(folder / "clips.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_training_goes_on_in_another_folder(corpus: Path, tmp_path: Path) -> None:
    checkpoint(tmp_path / "work" / CHECKPOINT)
    (tmp_path / "work" / ENCODER).parent.mkdir()
    (tmp_path / "work" / ENCODER).write_bytes(b"another encoder")
    parts = pack(tmp_path / "work", [corpus], ["1"], tmp_path / "parts", 32, 10_000)
    (packed,) = unpack(parts, tmp_path / "there")
    assert packed.name == "corpus"
    assert (tmp_path / "there" / ENCODER).read_bytes() == b"another encoder"
    assert (tmp_path / "there" / CHECKPOINT).exists()
    assert [path.name for path in (packed / "audio").iterdir()] == ["1-dog.opus"]
    before, after = read_mono(corpus / "audio" / "1-dog.wav", 32000), read_mono(packed / "audio" / "1-dog.opus", 32000)
    assert len(after) == pytest.approx(len(before), abs=1)
    n = min(len(before), len(after))
    assert np.corrcoef(before[:n], after[:n])[0, 1] > 0.9
    reached = pack_state(tmp_path / "there", tmp_path / "result", 10_000)
    assert unpack(reached, tmp_path / "back") == []
    assert (tmp_path / "back" / CHECKPOINT).exists()


def test_a_training_without_an_encoder_of_its_own_has_the_bundled_one(corpus: Path, tmp_path: Path) -> None:
    unpack(pack(tmp_path / "work", [corpus], ["1"], tmp_path / "parts", 32, 10_000), tmp_path / "there")
    assert (tmp_path / "there" / ENCODER).read_bytes() == resource("assets/tiny/encoder.safetensors").read_bytes()
