"""Runs that are killed, interrupted, or run out of disk, and resume as if nothing had happened."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from small_corpus import losses, options, same_adapter, train_steps

from dplass_cli.errors import InputError, RunError
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.pipelines.train import train
from dplass_cli.storage import locked, read_json
from dplass_cli.training.callbacks.checkpoints import LastCheckpoint
from dplass_cli.training.module import SeparationModule
from dplass_cli.training.workspace import Workspace

EPOCHS = 4


def long_run(corpus: Path, workspace: Path, workers: int = 0) -> TrainOptions:
    """Four epochs of one domain; the rate falls after every epoch that is not better, and every step is saved."""
    settings = TrainSettings(
        OptimizerSettings(learning_rate=1e-2, patience=0),
        batch_size_per_device=2,
        num_workers=workers,
        max_epochs=EPOCHS,
        save_step_frequency=1,
    )
    return replace(options(corpus, workspace), domain="1", train=settings)


@pytest.fixture(scope="module")
def uninterrupted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("whole") / "run"
    train(long_run(corpus, workspace))
    return workspace


def same_run(run: Path, whole: Path) -> None:
    """The loss curve and the adapters are those of an uninterrupted run."""
    for one, other in zip(losses(run, "domain1"), losses(whole, "domain1"), strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    same_adapter(run, whole)
    same_adapter(run, whole, "bank_last")


class Stop(Exception):
    """Stands for a kill: no code of the package handles it."""


def _and_stop(last: LastCheckpoint, trainer: Any) -> None:
    trainer.save_checkpoint(last.path, weights_only=False)
    raise Stop


def test_a_bank_contains_an_adapter_before_its_domain_counts_as_finished(corpus: Path, tmp_path: Path) -> None:
    with mock.patch.object(Workspace, "mark_finished", side_effect=Stop), pytest.raises(Stop):
        train(replace(options(corpus, tmp_path / "run"), domain="1"))
    assert [domain["id"] for domain in read_json(tmp_path / "run" / "bank" / "bank.json")["domains"]] == [1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_stopped_after_any_step_equals_an_uninterrupted_one(
    corpus: Path, uninterrupted: Path, tmp_path: Path, workers: int
) -> None:
    per_epoch = train_steps(corpus)  # in the middle of an epoch, on its last step and on the first of the next
    stops = [2, per_epoch, per_epoch + 1, 2 * per_epoch + 2] if workers == 0 else [per_epoch + 2]
    done: list[int] = []
    given = long_run(corpus, tmp_path / "run", workers)
    for stop in stops:

        def progress(step: int, total: int, what: str, stop: int = stop) -> None:
            done.append(step)
            if step == stop:
                raise Stop

        with pytest.raises(Stop):
            train(replace(given, resume=True), progress)
    train(replace(given, resume=True))
    same_run(tmp_path / "run", uninterrupted)
    if workers == 0:  # at most two steps per stop are repeated: the unsaved one, and the last of an epoch
        assert len(done) <= max(stops) + 2 * len(stops)


@pytest.fixture
def sigint_enabled() -> Iterator[None]:
    """A shell's background job, such as a whole test run, starts with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_enabled")
def test_a_signal_saves_the_current_step_and_interrupts(corpus: Path, uninterrupted: Path, tmp_path: Path) -> None:
    given = long_run(corpus, tmp_path / "run")
    given = replace(given, train=replace(given.train, save_step_frequency=1000))
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def progress(step: int, total: int, what: str, number: int = number) -> None:
            if step in (4, 8):
                signal.raise_signal(number)

        with pytest.raises(KeyboardInterrupt):
            train(replace(given, resume=True), progress)
        assert signal.getsignal(number) is before
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "domain1" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 8
    train(replace(given, resume=True))
    same_run(tmp_path / "run", uninterrupted)


def command(given: TrainOptions) -> list[str]:
    """The run as a shell command."""
    rate, batch = given.train.optimizer.learning_rate, given.train.batch_size_per_device
    return [
        sys.executable, "-m", "dplass_cli", "train", "--data", str(given.partition),
        "--workspace", str(given.workspace),
        "--base-checkpoint", given.base_checkpoint, "--encoder", "tiny", "--domain", given.domain, "--device", "cpu",
        "--max-epochs", str(EPOCHS), "--set", f"train.optimizer.learning_rate={rate}",
        "--set", "train.optimizer.patience=0", "--set", f"train.batch_size_per_device={batch}",
        "--set", "train.num_workers=0",
        "--set", "train.save_step_frequency=1", "--resume",
    ]  # fmt: skip


def kill_at_random(corpus: Path, workspace: Path, kills: int, chance: random.Random) -> None:
    """Start the run and kill it soon after it has saved a checkpoint, several times; then let it finish."""
    given = long_run(corpus, workspace)
    last = workspace / "checkpoints" / "domain1" / "last.ckpt"
    for _ in range(kills):
        seen = last.stat().st_mtime_ns if last.exists() else 0
        with subprocess.Popen(command(given), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while run.poll() is None and (last.stat().st_mtime_ns if last.exists() else 0) == seen:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.3))
            run.kill()
        torch.load(last, weights_only=True)
    done = subprocess.run(command(given), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_killed_with_sigkill_many_times_equals_an_uninterrupted_one(
    corpus: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    for seed in range(4):
        kill_at_random(corpus, tmp_path / str(seed), 4, random.Random(seed))
        same_run(tmp_path / str(seed), uninterrupted)


@pytest.mark.parametrize("ended_by", ["epochs", "steps"])  # Lightning counts restored epochs differently
def test_a_run_stopped_at_the_end_of_every_epoch_equals_an_uninterrupted_one(
    corpus: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    ends = LastCheckpoint.on_train_epoch_end

    def stopping(self: LastCheckpoint, trainer: Any, module: Any) -> None:
        ends(self, trainer, module)
        raise KeyboardInterrupt

    monkeypatch.setattr(LastCheckpoint, "on_train_epoch_end", stopping)
    given = long_run(corpus, tmp_path / "run")
    given = replace(given, train=replace(given.train, save_step_frequency=1000))
    if ended_by == "steps":
        steps = EPOCHS * train_steps(corpus)
        given = replace(given, train=replace(given.train, max_epochs=1000, max_steps=steps))
    for _ in range(EPOCHS):
        with pytest.raises(KeyboardInterrupt):
            train(given)
        given = replace(given, resume=True)
    monkeypatch.undo()
    train(given)
    same_run(tmp_path / "run", uninterrupted)


@pytest.mark.parametrize(
    ("epochs", "further"), [(0, 1), (1, 1), (2, 0)]
)  # within the first, within another, at its end
def test_a_run_ended_by_max_steps_continues_with_more(
    corpus: Path, uninterrupted: Path, tmp_path: Path, epochs: int, further: int
) -> None:
    cut = epochs * train_steps(corpus) + further
    given = replace(long_run(corpus, tmp_path / "run"), resume=True)
    shorter = replace(given, train=replace(given.train, max_steps=cut, save_step_frequency=1000))
    with mock.patch.object(LastCheckpoint, "save", _and_stop), pytest.raises(Stop):
        train(shorter)
    train(shorter)
    assert (
        read_json(tmp_path / "run" / "checkpoints" / "domain1" / "trained.json")["trained"]["epochs"]
        == epochs + further
    )
    train(given)
    same_run(tmp_path / "run", uninterrupted)


def test_a_full_disk_keeps_the_previous_checkpoint(corpus: Path, uninterrupted: Path, tmp_path: Path) -> None:
    given = long_run(corpus, tmp_path / "run")
    writes: list[int] = []

    def replacing(*arguments: Any) -> None:
        writes.append(1)
        raise OSError(28, "No space left on device")

    def progress(step: int, total: int, what: str) -> None:
        if step == 5:
            full.start()

    full = mock.patch("dplass_cli.storage.os.fsync", replacing)
    try:
        with pytest.raises(RunError, match=r"last.ckpt: writing failed \(No space left on device\)"):
            train(given, progress)
    finally:
        full.stop()
    assert writes
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "domain1" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 4
    train(replace(given, resume=True))
    same_run(tmp_path / "run", uninterrupted)


def test_a_full_disk_under_tensorboard_is_reported_once(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    full = mock.patch(
        "tensorboard.summary.writer.record_writer.RecordWriter.write",
        side_effect=OSError(errno.ENOSPC, "No space left on device"),
    )
    with full, pytest.raises(RunError, match=r"run: writing failed \(No space left on device\)"):
        train(long_run(corpus, tmp_path / "run"))
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("length", [0, 1000])
def test_a_damaged_checkpoint_is_named(corpus: Path, uninterrupted: Path, tmp_path: Path, length: int) -> None:
    shutil.copytree(uninterrupted, tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "domain1" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:length])
    given = long_run(corpus, tmp_path / "run")
    longer = replace(given, resume=True, train=replace(given.train, max_epochs=EPOCHS + 1))
    with pytest.raises(InputError, match=r"last.ckpt: is damaged .*; delete .*domain1 to train this job again"):
        train(longer)


def test_two_runs_on_one_workspace_are_refused(corpus: Path, tmp_path: Path) -> None:
    with locked(tmp_path / ".lock"), pytest.raises(InputError, match="another run is using this workspace"):
        train(long_run(corpus, tmp_path))
    assert not (tmp_path / "config.yaml").exists()


def test_other_settings_cannot_resume(corpus: Path, uninterrupted: Path) -> None:
    given = replace(long_run(corpus, uninterrupted), resume=True)
    faster = replace(given.train, optimizer=replace(given.train.optimizer, learning_rate=1.0))
    with pytest.raises(InputError, match=r"was started with train.optimizer.learning_rate 0.01, not 1.0"):
        train(replace(given, train=faster))
    for train_settings, message in (
        ({"loss_type": {"l1_wav": 1.0}}, r"train.loss_type 'l1_wav', not \{'l1_wav': 1.0\}"),
        ({"steps_per_epoch": 1}, "train.steps_per_epoch 0, not 1"),
    ):
        with pytest.raises(InputError, match=message):
            train(replace(given, train=replace(given.train, **train_settings)))
    with pytest.raises(InputError, match=r"adapter.rank 4, not \{'conv': 4\}"):
        train(replace(given, adapter=replace(given.adapter, rank={"conv": 4})))
    with pytest.raises(InputError, match="network"):
        train(replace(given, network=ResUNet30Config()))


def test_fewer_epochs_than_are_done_are_refused(corpus: Path, tmp_path: Path) -> None:
    given = replace(long_run(corpus, tmp_path / "run"), resume=True)

    def progress(step: int, total: int, what: str) -> None:
        if step == 2 * train_steps(corpus) + 1:
            raise Stop

    with pytest.raises(Stop):
        train(given, progress)
    with pytest.raises(InputError, match=r"has completed 2 epochs, more than train.max_epochs 1"):
        train(replace(given, train=replace(given.train, max_epochs=1)))


def test_patience_may_be_raised_when_a_run_is_resumed(corpus: Path, tmp_path: Path) -> None:
    given = replace(long_run(corpus, tmp_path / "run"), resume=True)
    scores = iter([3.0, 2.0, 1.0, 0.0])

    def worse(module: SeparationModule) -> None:
        module.log("val_sdri", next(scores))
        module.log("val_si_sdr", 0.0)

    with mock.patch.object(SeparationModule, "on_validation_epoch_end", worse):
        impatient = train(replace(given, train=replace(given.train, patience=1))).domains[1]
        patient = train(replace(given, train=replace(given.train, patience=2))).domains[1]
    assert (impatient.epochs, patient.epochs) == (2, 3)


def test_a_better_score_before_min_epochs_withdraws_the_stop(corpus: Path, tmp_path: Path) -> None:
    scores = iter([3.0, 2.0, 4.0, 5.0])

    def improving(module: SeparationModule) -> None:
        module.log("val_sdri", next(scores))
        module.log("val_si_sdr", 0.0)

    given = long_run(corpus, tmp_path / "run")
    with mock.patch.object(SeparationModule, "on_validation_epoch_end", improving):
        reached = train(replace(given, train=replace(given.train, patience=1, min_epochs=3))).domains[1]
    assert reached.epochs == EPOCHS


def test_a_loss_that_is_not_finite_stops_the_run_and_lists_its_batch(corpus: Path, tmp_path: Path) -> None:
    given = long_run(corpus, tmp_path / "run")

    diverging = replace(given.train, optimizer=OptimizerSettings("SGD", learning_rate=1e30), gradient_clip=0.0)
    with pytest.raises(RunError, match=r"not finite.*lower train.optimizer.learning_rate") as stop:
        train(replace(given, train=diverging))
    assert not (tmp_path / "run" / "bank").exists()
    assert "domain1_not_finite.json" in str(stop.value)
    items = (tmp_path / "run" / "logs" / "domain1_not_finite.json").read_text()
    assert items.count('"target"') == 2
    assert '"caption"' in items
