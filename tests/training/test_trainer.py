"""Training one job: what is exported, reported and left in the workspace."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from small_jobs import job, settings, trainer
from small_networks import small_network

from dplass_cli.errors import InputError, RunError
from dplass_cli.options.train_settings import OptimizerSettings
from dplass_cli.storage import read_json
from dplass_cli.training.job import Which
from dplass_cli.training.train_result import Trained


@pytest.fixture
def exported() -> list[tuple[Which, Trained]]:
    return []


def test_the_outcome_counts_epochs_steps_and_mixtures(tmp_path: Path) -> None:
    trained = trainer(job(tmp_path), tmp_path, settings(epochs=3)).fit(resume=False)
    assert (trained.epochs, trained.steps, trained.validation_mixtures) == (3, 6, 2)
    assert trained.best_epoch in (0, 1, 2)
    assert trained.items_per_s > 0
    assert 0 <= trained.loader_wait <= 1


@pytest.mark.parametrize(
    "platform",
    [{"RANK": "1", "WORLD_SIZE": "2"}, {"SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_JOB_NAME": "batch"}],
)
def test_a_training_in_one_process_does_not_wait_for_those_of_a_platform(
    tmp_path: Path, platform: dict[str, str], monkeypatch: pytest.MonkeyPatch, exported: list[tuple[Which, Trained]]
) -> None:
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    given = job(tmp_path, lambda which, trained: exported.append((which, trained)))
    assert trainer(given, tmp_path, settings(epochs=1)).fit(resume=False).epochs == 1
    assert [which for which, _ in exported][-2:] == ["last", "best"]


def test_tasks_of_srun_that_are_not_those_of_the_training_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_NTASKS", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.setenv(name, "4")
    with pytest.raises(InputError, match=r"^--num-gpus, --num-nodes: .*SLURM.*; give srun --nodes"):
        trainer(job(tmp_path), tmp_path, settings(epochs=1))


def test_an_epoch_that_max_steps_cut_short_counts(tmp_path: Path) -> None:
    trained = trainer(job(tmp_path), tmp_path, settings(epochs=9, max_steps=3)).fit(resume=False)
    assert (trained.epochs, trained.steps) == (2, 3)


def test_the_best_weights_are_exported_at_every_improvement_and_last(
    tmp_path: Path, exported: list[tuple[Which, Trained]]
) -> None:
    given = job(tmp_path, lambda which, trained: exported.append((which, trained)))
    trained = trainer(given, tmp_path, settings(epochs=2)).fit(resume=False)
    kinds = [which for which, _ in exported]
    assert kinds[0] == "best"
    assert kinds[-2:] == ["last", "best"]
    assert exported[-1][1] == trained


def test_without_validation_the_last_weights_are_the_best(
    tmp_path: Path, exported: list[tuple[Which, Trained]]
) -> None:
    given = job(tmp_path, lambda which, trained: exported.append((which, trained)), validation=0)
    trained = trainer(given, tmp_path, settings(epochs=1)).fit(resume=False)
    assert [which for which, _ in exported] == ["last", "best"]
    assert (trained.best_epoch, trained.best_sdri, trained.best_si_sdr) == (None, None, None)


def test_the_network_is_left_at_the_best_weights(tmp_path: Path) -> None:
    given = job(tmp_path)
    reached = trainer(given, tmp_path, settings(epochs=3, save_top_k=3)).fit(resume=False)
    checkpoints = sorted((tmp_path / "checkpoints" / "domain0").glob("step*.ckpt"))
    assert len(checkpoints) == 3
    assert reached.best_epoch is not None
    state = torch.load(checkpoints[reached.best_epoch], weights_only=True)["state_dict"]
    own = {f"network.{name}": value for name, value in given.network.state_dict().items()}
    assert state
    assert all(torch.equal(value, own[name]) for name, value in state.items())


def test_a_base_without_trainable_batch_norm_is_not_changed(tmp_path: Path) -> None:
    given, before = job(tmp_path), small_network().state_dict()
    trainer(given, tmp_path, settings(epochs=1)).fit(resume=False)
    after = given.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name in after)


def test_progress_is_reported_after_every_step_with_the_job_name(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    texts: list[str] = []

    def progress(done: int, total: int, what: str) -> None:
        steps.append((done, total))
        texts.append(what)

    trainer(job(tmp_path), tmp_path, settings(epochs=2), progress).fit(resume=False)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(text.startswith("domain0: ") for text in texts)
    assert "loss" in texts[-1]


def test_every_epoch_is_reported_with_its_score(tmp_path: Path) -> None:
    epochs: list[tuple[int, float]] = []
    trained = trainer(
        job(tmp_path), tmp_path, settings(epochs=2), report=lambda epoch, sdri: epochs.append((epoch, sdri))
    ).fit(resume=False)
    assert [epoch for epoch, _ in epochs] == [0, 1]
    assert max(sdri for _, sdri in epochs) == trained.best_sdri


def test_an_exception_of_the_report_ends_the_run_with_its_epoch_saved(tmp_path: Path) -> None:
    class Pruned(Exception):
        pass

    def report(epoch: int, sdri: float) -> None:
        raise Pruned

    with pytest.raises(Pruned):
        trainer(job(tmp_path), tmp_path, settings(epochs=2), report=report).fit(resume=False)
    assert (tmp_path / "metrics.csv").read_text().count("domain0") == 1


def test_resuming_trains_the_remaining_steps_only(tmp_path: Path) -> None:
    trainer(job(tmp_path), tmp_path, settings(epochs=1)).fit(resume=False)
    steps: list[int] = []
    given = trainer(job(tmp_path), tmp_path, settings(epochs=2), lambda done, total, what: steps.append(done))
    assert given.fit(resume=True).steps == 4
    assert steps == [3, 4]


def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = job(tmp_path)
    trainer(whole, tmp_path / "whole", settings(epochs=2)).fit(resume=False)
    trainer(job(tmp_path), tmp_path / "cut", settings(epochs=1)).fit(resume=False)
    resumed = job(tmp_path)
    trainer(resumed, tmp_path / "cut", settings(epochs=2)).fit(resume=True)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], value, rtol=1e-6, atol=1e-8)


def test_a_loss_that_is_not_finite_lists_the_items_of_its_batch(tmp_path: Path) -> None:
    diverging = settings(epochs=50, gradient_clip=0.0)
    diverging = type(diverging)(
        **{**vars(diverging), "optimizer": OptimizerSettings("SGD", learning_rate=1e30, schedule="constant")}
    )
    with pytest.raises(RunError, match=r"not finite.*domain0_not_finite.json lists the items"):
        trainer(job(tmp_path, validation=0), tmp_path, diverging).fit(resume=False)
    items = read_json(tmp_path / "logs" / "domain0_not_finite.json")
    assert len(items) == 2
    assert all(math.isfinite(item["target"]["start"]) for item in items)
