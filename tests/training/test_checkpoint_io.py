"""Checkpoints are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from dplass_cli.errors import RunError
from dplass_cli.training.checkpoint_io import AtomicCheckpointIO


def test_a_checkpoint_can_be_loaded_without_pickled_code(tmp_path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint({"step": 3, "weight": torch.ones(2)}, tmp_path / "last.ckpt")
    loaded = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert loaded["step"] == 3
    assert torch.equal(loaded["weight"], torch.ones(2))


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AtomicCheckpointIO().save_checkpoint({"step": 3}, tmp_path / "last.ckpt")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"last.ckpt: writing failed \(No space left on device\)"):
        AtomicCheckpointIO().save_checkpoint({"step": 4}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
