"""Validation examples in TensorBoard: audio and spectrograms."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dplass_cli.storage import writing_to
from dplass_cli.training.lightning_classes import Checkpoint


class TensorBoardExamples(Checkpoint):
    """Adds the module's validation examples to TensorBoard after every epoch.

    It saves no checkpoint; the base class places it after other callbacks, as :class:`EpochReporter` explains.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Add the estimates; in the first epoch mixtures and targets too, which never change."""
        from lightning.pytorch.loggers import TensorBoardLogger

        boards = [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        for number, (mixture, target, estimate) in enumerate(module.examples if trainer.is_global_zero else ()):
            parts = {"estimate": estimate}
            if trainer.current_epoch == 0:
                parts = {"mixture": mixture, "target": target, **parts}
            for name, audio in parts.items():
                peak = audio.abs().amax().clamp(min=1.0)
                for board in boards:
                    board.add_audio(f"item{number}/{name}", audio / peak, trainer.global_step, self.sample_rate)
                    board.add_image(f"item{number}/{name}", spectrogram(audio), trainer.global_step)


def spectrogram(audio: Tensor) -> npt.NDArray[np.uint8]:
    """Draw audio (T,) as a grey picture uint8 (1, bins, frames): 80 dB from black to white, low frequencies below."""
    spectrum = torch.stft(audio, 1024, 512, window=torch.hann_window(1024), return_complex=True).abs()
    level = 20 * torch.log10(spectrum.clamp(min=1e-5))
    shade = ((level - level.amax() + 80) / 80).clamp(0, 1).flip(0)
    picture: npt.NDArray[np.uint8] = (255 * shade[None]).to(torch.uint8).numpy()
    return picture


@contextlib.contextmanager
def tensorboard_errors(workspace: Path) -> Iterator[None]:
    """Turn a full disk under TensorBoard's files into a RunError.

    TensorBoard writes in a thread. It re-raises what failed there at its next call, inside the block; but the thread
    would also print a traceback, which this suppresses.

    Raises:
        RunError: the disk is full or failed.
    """

    from tensorboard.summary.writer import event_file_writer

    def hook(failed: threading.ExceptHookArgs) -> None:
        if type(failed.thread).__module__ != event_file_writer.__name__:
            before(failed)

    before, threading.excepthook = threading.excepthook, hook
    try:
        with writing_to(workspace, only_disk_errors=True):
            yield
    finally:
        threading.excepthook = before
