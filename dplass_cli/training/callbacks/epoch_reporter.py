"""Progress, ``metrics.csv`` and the text log of a training."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dplass_cli.errors import InputError
from dplass_cli.records import csv_rows, write_rows
from dplass_cli.storage import Progress, append_text, locked, read_text
from dplass_cli.training.lightning_classes import Checkpoint
from dplass_cli.training.workspace import Workspace

EpochReport = Callable[[int, float], None]
"""Receives each epoch's number and first validation score, such as SDRi in dB (nan without); may raise to end it."""


def no_report(epoch: int, score: float) -> None:
    """Ignore the report."""


_LOG_SECONDS = 10.0  # between two lines of the text log within an epoch


class EpochReporter(Checkpoint):
    """Reports progress after every step, and writes a row of ``metrics.csv`` and a line of the log after every epoch.

    It saves no checkpoint. But Lightning calls ``on_train_epoch_end`` of ordinary callbacks before the module's own,
    which computes the epoch's loss, and that of :class:`Checkpoint` callbacks after it.

    Attributes:
        items_per_s: samples per second in this epoch.
        loader_wait: share of this epoch spent waiting for data, 0 to 1.
    """

    def __init__(self, workspace: Workspace, job: str, progress: Progress, report: EpochReport) -> None:
        self.workspace, self.job, self.progress, self.report = workspace, job, progress, report
        self.items_per_s = self.loader_wait = 0.0
        self._items = 0
        self._epoch_started = self._logged = time.perf_counter()

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self._start_measuring(trainer)
        if trainer.is_global_zero:
            self._log(f"starts at epoch {trainer.current_epoch}, step {trainer.global_step}")

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self._start_measuring(trainer)

    def _start_measuring(self, trainer: Any) -> None:
        self._items, self._epoch_started = 0, time.perf_counter()
        trainer.train_dataloader.waited = 0.0

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = time.perf_counter()
        self._items += len(batch.number) * trainer.world_size
        passed = max(now - self._epoch_started, 1e-9)
        self.items_per_s, self.loader_wait = self._items / passed, trainer.train_dataloader.waited / passed
        if not trainer.is_global_zero:
            return
        total = int(trainer.estimated_stepping_batches)
        if trainer.global_step >= total:
            module.check_loss()  # no further step will do it
        status = self._status(trainer, module)
        self.progress(trainer.global_step, total, f"{self.job}: {status}")
        if now - self._logged > _LOG_SECONDS:
            self._logged = now
            self._log(f"step {trainer.global_step}: {status}")

    def _status(self, trainer: Any, module: Any) -> str:
        parts = [] if module.last_loss is None else [f"loss {module.last_loss:.4f}"]
        if module.scores[0] in trainer.callback_metrics:
            parts.append(module.shown_score(float(trainer.callback_metrics[module.scores[0]])))
        return ", ".join([*parts, f"{self.items_per_s:.1f} items/s", f"waiting {self.loader_wait:.0%}"])

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Write the epoch's row and log lines; pass the epoch on to the loggers and to ``report``."""
        if not trainer.is_global_zero:
            return
        metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}
        row = {
            "run": self.job,
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train_loss": f"{module.epoch_loss:.9g}",
            **{score: f"{metrics.get(score, np.nan):.6f}" for score in module.scores},
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}",
            "unreadable": len(module.bad_files),
            "items_per_s": f"{self.items_per_s:.2f}",
            "loader_wait": f"{self.loader_wait:.4f}",
        }
        self._add_row(row)
        self._log(" ".join(f"{key}={value}" for key, value in row.items()))
        for key, value in metrics.items():
            if key.startswith(f"{module.scores[0]}/"):
                self._log(f"{key} {value:.4f}")
        for logger in trainer.loggers:
            logger.log_metrics({"train_loss_epoch": module.epoch_loss}, step=trainer.global_step)
        self.report(trainer.current_epoch, metrics.get(module.scores[0], np.nan))

    def _add_row(self, row: dict[str, Any]) -> None:
        """Add a row to the table, in place of rows of epochs that this run repeats."""
        table = self.workspace.metrics
        with locked(table.with_name(".metrics.lock")):  # domains that train in parallel share the table
            rows = csv_rows(read_text(table), table) if table.is_file() else []
            try:
                kept = [old for old in rows if old["run"] != self.job or int(old["epoch"]) < row["epoch"]]
            except (KeyError, ValueError) as error:
                raise InputError(
                    f"{table}: is damaged ({error}); move it away, and the run writes a new one"
                ) from error
            write_rows(table, tuple(row), [*kept, row])

    def _log(self, line: str) -> None:
        append_text(self.workspace.log(self.job), f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
