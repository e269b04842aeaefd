"""Audio and spectrograms of validation examples."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dplass_cli.errors import RunError
from dplass_cli.training.callbacks.tensorboard_examples import TensorBoardExamples, spectrogram, tensorboard_errors


def show(folder: Path, epochs: int, first: bool = True) -> dict[str, Any]:
    """The tags of what is shown after some epochs with one example."""
    logger = TensorBoardLogger(folder, name="", version="")
    module: Any = SimpleNamespace(examples=[tuple(torch.randn(3, 2000))])
    for epoch in range(epochs):
        trainer: Any = SimpleNamespace(
            loggers=[logger], is_global_zero=first, current_epoch=epoch, global_step=10 * epoch
        )
        TensorBoardExamples(8000).on_train_epoch_end(trainer, module)
    logger.experiment.close()
    events = EventAccumulator(str(folder))
    events.Reload()
    found: dict[str, Any] = {
        tag: len(events.Audio(tag)) for tag in events.Tags()["audio"] if tag in events.Tags()["images"]
    }
    return found


def test_estimates_are_shown_every_epoch_and_the_others_once(tmp_path: Path) -> None:
    assert show(tmp_path, 3) == {"item0/mixture": 1, "item0/target": 1, "item0/estimate": 3}


def test_only_the_first_process_shows_examples(tmp_path: Path) -> None:
    assert show(tmp_path, 1, first=False) == {}


def test_a_spectrogram_has_low_frequencies_below_and_80_db() -> None:
    tone = torch.sin(torch.arange(8000) * 2 * torch.pi * 500 / 8000)
    picture = spectrogram(tone)
    assert picture.shape == (1, 513, 16)
    assert picture.dtype == np.uint8
    assert picture[0, :, 8].argmax() == 512 - 500 * 1024 // 8000
    assert (picture.min(), picture.max()) == (0, 255)


def test_a_full_disk_is_a_run_error_with_the_workspace(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"writing failed \(No space left on device\)"), tensorboard_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), tensorboard_errors(tmp_path):
        raise PermissionError(errno.EACCES, "not a disk's error")
