"""Progress, rows of ``metrics.csv`` and the text log."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dplass_cli.training.callbacks.epoch_reporter import EpochReporter, no_report
from dplass_cli.training.module import SeparationModule
from dplass_cli.training.workspace import Workspace


class Logger:
    """Collects metrics."""

    def __init__(self) -> None:
        self.metrics: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.metrics[step] = metrics


class Trainer:
    """Trains nothing, at three steps per epoch."""

    is_global_zero, world_size, estimated_stepping_batches = True, 1, 6

    def __init__(self) -> None:
        self.current_epoch = self.global_step = 0
        self.callback_metrics: dict[str, torch.Tensor] = {}
        self.train_dataloader = SimpleNamespace(waited=1.0)
        self.optimizers = [SimpleNamespace(param_groups=[{"lr": 1e-3}])]
        self.loggers = [Logger()]


class Module:
    """A module that has trained."""

    scores = SeparationModule.scores
    shown_score = staticmethod(SeparationModule.shown_score)
    last_loss: float | None = 0.5
    epoch_loss = 0.25

    def __init__(self) -> None:
        self.bad_files = {"a.wav": "empty"}
        self.checked = 0

    def check_loss(self) -> None:
        self.checked += 1


BATCH = SimpleNamespace(number=torch.zeros(4))


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def end_epochs(folder: Path, job: str, epochs: range, report: Any = no_report) -> Trainer:
    trainer = Trainer()
    reporter = EpochReporter(Workspace(folder), job, lambda done, total, what: None, report)
    reporter.on_train_start(trainer, Module())
    for epoch in epochs:
        trainer.current_epoch, trainer.global_step = epoch, 3 * epoch + 3
        trainer.callback_metrics = {"val_sdri": torch.tensor(1.5), "val_sdri/domain1": torch.tensor(2.5)}
        reporter.on_train_epoch_end(trainer, Module())
    return trainer


def test_each_step_reports_loss_speed_and_waiting() -> None:
    told: list[tuple[int, int, str]] = []
    trainer, module = Trainer(), Module()
    reporter = EpochReporter(Workspace(Path("unused")), "domain0", lambda *progress: told.append(progress), no_report)
    trainer.is_global_zero = False
    reporter.on_train_start(trainer, module)
    trainer.is_global_zero, trainer.global_step = True, 1
    reporter.on_train_batch_end(trainer, module, None, BATCH, 0)
    ((done, total, text),) = told
    assert (done, total) == (1, 6)
    assert text.startswith("domain0: loss 0.5000, ")
    assert text.endswith("waiting 0%")  # reset at the start
    assert module.checked == 0


def test_the_last_step_checks_its_loss() -> None:
    trainer, module = Trainer(), Module()
    reporter = EpochReporter(Workspace(Path("unused")), "domain0", lambda *progress: None, no_report)
    trainer.global_step = 6
    reporter.on_train_batch_end(trainer, module, None, BATCH, 0)
    assert module.checked == 1


def test_each_epoch_is_a_row(tmp_path: Path) -> None:
    end_epochs(tmp_path, "domain0", range(2))
    first, second = rows(tmp_path)
    assert ",".join(first) == (
        "run,epoch,step,train_loss,val_sdri,val_si_sdr,learning_rate,unreadable,items_per_s,loader_wait"
    )
    assert (first["run"], first["epoch"], first["step"], second["step"]) == ("domain0", "0", "3", "6")
    assert (first["train_loss"], first["val_sdri"], first["val_si_sdr"]) == ("0.25", "1.500000", "nan")
    assert (first["learning_rate"], first["unreadable"]) == ("0.001", "1")


def test_repeated_epochs_replace_their_rows_and_other_jobs_keep_theirs(tmp_path: Path) -> None:
    end_epochs(tmp_path, "domain0", range(3))
    end_epochs(tmp_path, "domain1", range(1))
    end_epochs(tmp_path, "domain0", range(1, 2))
    found = [(row["run"], row["epoch"]) for row in rows(tmp_path)]
    assert found == [("domain0", "0"), ("domain1", "0"), ("domain0", "1")]


def test_the_log_has_a_line_per_epoch_and_domain(tmp_path: Path) -> None:
    end_epochs(tmp_path, "base", range(1))
    start, epoch, domain = (tmp_path / "logs" / "base.log").read_text().splitlines()
    assert start.endswith("starts at epoch 0, step 0")
    assert "run=base epoch=0 step=3 train_loss=0.25" in epoch
    assert domain.endswith("val_sdri/domain1 2.5000")


def test_epochs_are_passed_to_the_report_and_the_loggers(tmp_path: Path) -> None:
    reported: list[tuple[int, float]] = []
    trainer = end_epochs(tmp_path, "domain0", range(2), lambda epoch, sdri: reported.append((epoch, sdri)))
    assert reported == [(0, 1.5), (1, 1.5)]
    assert trainer.loggers[0].metrics == {3: {"train_loss_epoch": 0.25}, 6: {"train_loss_epoch": 0.25}}


def test_the_row_is_written_before_the_report_may_end_the_run(tmp_path: Path) -> None:
    def stop(epoch: int, sdri: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        end_epochs(tmp_path, "domain0", range(1), stop)
    assert len(rows(tmp_path)) == 1
