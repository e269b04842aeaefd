"""What a run tells: ``metrics.csv``, text logs, progress, and sounds and pictures in TensorBoard."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.summary.writer import event_file_writer
from torch import Tensor

from dplass_cli.records import csv_rows, write_rows
from dplass_cli.storage import Progress, append_text, locked, read_text, writing_to
from dplass_cli.training.module import SCORES

EpochReport = Callable[[int, float], None]
"""Told the number of each epoch and its validation SDRi in dB (nan without validation); may raise to end the run."""


def no_report(epoch: int, sdri: float) -> None:
    """The report of those who do not want one."""


_COLUMNS = (
    "run",
    "epoch",
    "step",
    "train_loss",
    *SCORES,
    "learning_rate",
    "unreadable",
    "items_per_s",
    "loader_wait",
)
_TOLD_EVERY = 0.2  # seconds between two reports of progress
_LOGGED_EVERY = 10.0  # seconds between two lines of the text log


class EpochReporter(Checkpoint):
    """Tells how a run goes. A :class:`Checkpoint` by name only: so it comes after the module's own end of an epoch.

    Attributes:
        items_per_s, loader_wait: mixtures a second, and the share of time spent waiting for batches, in this epoch.
    """

    def __init__(self, workspace: Path, name: str, sample_rate: int, progress: Progress, report: EpochReport) -> None:
        self.table, self.log_file = workspace / "metrics.csv", workspace / "logs" / f"{name}.log"
        self.name, self.sample_rate, self.progress, self.report = name, sample_rate, progress, report
        self.items_per_s = self.loader_wait = 0.0
        self._items, self._began, self._told, self._logged = 0, time.perf_counter(), 0.0, time.perf_counter()

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Begin the measurement: an epoch that is gone on with in its middle has no start of its own."""
        self._begin(trainer)
        if trainer.is_global_zero:
            self._log(f"begins at epoch {trainer.current_epoch}, step {trainer.global_step}")

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Begin the measurement anew: validation does not count."""
        self._begin(trainer)

    def _begin(self, trainer: Any) -> None:
        self._items, self._began = 0, time.perf_counter()
        trainer.train_dataloader.waited = 0.0

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Report progress in steps."""
        now = time.perf_counter()
        self._items += len(batch.target) * trainer.world_size
        passed = max(now - self._began, 1e-9)
        self.items_per_s, self.loader_wait = self._items / passed, trainer.train_dataloader.waited / passed
        if not trainer.is_global_zero:
            return
        total = int(trainer.estimated_stepping_batches)
        if now - self._told > _TOLD_EVERY or trainer.global_step >= total:
            self._told = now
            if trainer.global_step >= total:
                module.settle()
            self.progress(trainer.global_step, total, f"{self.name}: {self._state(trainer, module)}")
        if now - self._logged > _LOGGED_EVERY:
            self._logged = now
            self._log(f"step {trainer.global_step}: {self._state(trainer, module)}")

    def _state(self, trainer: Any, module: Any) -> str:
        parts = [] if module.last_loss is None else [f"loss {module.last_loss:.4f}"]
        if SCORES[0] in trainer.callback_metrics:
            parts.append(f"SDRi {float(trainer.callback_metrics[SCORES[0]]):.2f} dB")
        return ", ".join([*parts, f"{self.items_per_s:.1f} items/s", f"waiting {self.loader_wait:.0%}"])

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Write the epoch's row, and what its fixed validation items sound and look like."""
        if not trainer.is_global_zero:
            return
        metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}
        row = {
            "run": self.name,
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train_loss": f"{module.epoch_loss:.9g}",
            **{score: f"{metrics.get(score, np.nan):.6f}" for score in SCORES},
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}",
            "unreadable": len(module.bad_files),
            "items_per_s": f"{self.items_per_s:.2f}",
            "loader_wait": f"{self.loader_wait:.4f}",
        }
        with locked(self.table.with_name(".metrics.lock")):  # domains that train side by side share the table
            write_rows(self.table, _COLUMNS, [*self._kept(trainer.current_epoch), row])
        self._log(" ".join(f"{key}={value}" for key, value in row.items()))
        for key, value in metrics.items():
            if key.startswith(f"{SCORES[0]}/"):
                self._log(f"{key} {value:.4f}")
        for logger in trainer.loggers:
            logger.log_metrics({"train_loss_epoch": module.epoch_loss}, step=trainer.global_step)
            if isinstance(logger, TensorBoardLogger):
                self._show(logger.experiment, module.examples, trainer)
        self.report(trainer.current_epoch, metrics.get(SCORES[0], np.nan))

    def _kept(self, epoch: int) -> list[dict[str, Any]]:
        """The table's rows but those of epochs that this run does again."""
        if not self.table.is_file():
            return []
        rows = csv_rows(read_text(self.table), self.table)
        return [row for row in rows if row["run"] != self.name or int(row["epoch"]) < epoch]

    def _log(self, line: str) -> None:
        append_text(self.log_file, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def _show(self, board: Any, examples: list[tuple[Tensor, Tensor, Tensor]], trainer: Any) -> None:
        """Add audio and spectrograms; mixture and target are the same in every epoch and are shown once."""
        for number, (mixture, target, estimate) in enumerate(examples):
            parts = {"estimate": estimate}
            if trainer.current_epoch == 0:
                parts = {"mixture": mixture, "target": target, **parts}
            for what, audio in parts.items():
                peak = audio.abs().amax().clamp(min=1.0)
                board.add_audio(f"item{number}/{what}", audio / peak, trainer.global_step, self.sample_rate)
                board.add_image(f"item{number}/{what}", spectrogram(audio), trainer.global_step)


@contextlib.contextmanager
def events_written(workspace: Path) -> Iterator[None]:
    """Make a RunError of what a full disk does to TensorBoard's files, in a block that trains.

    TensorBoard writes them in a thread, which raises in the block what it could not write, and would print it too.
    """

    def hook(failed: threading.ExceptHookArgs) -> None:
        if type(failed.thread).__module__ != event_file_writer.__name__:
            before(failed)

    before, threading.excepthook = threading.excepthook, hook
    try:
        with writing_to(workspace, only_disk_errors=True):
            yield
    finally:
        threading.excepthook = before


def spectrogram(audio: Tensor) -> npt.NDArray[np.uint8]:
    """Picture audio (T,): uint8 (1, bins, frames), 80 dB from black to white, low frequencies at the bottom."""
    spectrum = torch.stft(audio, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()
    level = 20 * torch.log10(spectrum.clamp(min=1e-5))
    shade = ((level - level.amax() + 80) / 80).clamp(0, 1).flip(0)
    picture: npt.NDArray[np.uint8] = (255 * shade[None]).to(torch.uint8).numpy()
    return picture
