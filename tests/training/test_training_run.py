"""A run's jobs, devices, plan and what an earlier run finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_corpus import options

from dplass_cli.errors import InputError
from dplass_cli.training.train_result import Trained
from dplass_cli.training.training_run import TrainingRun, check_choices, shortened


def test_each_domain_is_a_job(corpus: Path, tmp_path: Path) -> None:
    run = TrainingRun(options(corpus, tmp_path / "run"))
    assert run.jobs == {"domain0": [0], "domain1": [1], "domain2": [2]}
    assert run.skipped == ()


def test_a_whole_network_is_one_job_on_the_chosen_domains(corpus: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run"), what="base", domain="2,0")
    assert TrainingRun(given).jobs == {"base": [2, 0]}


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("7", "--domain 7: must be one of all, 0, 1, 2"),
        ("0,Bark", "--domain Bark: must be one of all, 0"),
        ("all,0", "--domain all,0: give all, or numbers separated by commas"),
        ("", "--domain '': must be"),
    ],
)
def test_unknown_domains_are_refused(corpus: Path, tmp_path: Path, domain: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingRun(replace(options(corpus, tmp_path / "run"), domain=domain))


def test_nothing_is_written_before_training(corpus: Path, tmp_path: Path) -> None:
    run = TrainingRun(options(corpus, tmp_path / "run"))
    run.plan()
    run.result()
    assert not (tmp_path / "run").exists()


def test_finished_jobs_are_left_out_when_resumed(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path / "run")
    TrainingRun(given).workspace.mark_finished("domain1", given.train, Trained(best_sdri=2.5))
    resumed = TrainingRun(replace(given, resume=True))
    assert resumed.unfinished() == ["domain0", "domain2"]
    assert resumed.result().domains == {1: Trained(best_sdri=2.5)}
    assert TrainingRun(given).unfinished() == ["domain0", "domain1", "domain2"]


@pytest.mark.parametrize(
    ("changed", "devices"),
    [
        ({"parallel": 2}, ["cpu", "cpu"]),
        ({"parallel": 9}, ["cpu", "cpu", "cpu"]),  # no more than there are domains
        ({"parallel": 1}, []),
        ({}, []),  # one CPU
        ({"parallel": 2, "what": "base"}, []),
        ({"parallel": 2, "num_nodes": 2}, []),
        ({"parallel": 2, "domain": "1"}, []),
    ],
)
def test_devices_for_domains_in_parallel(
    corpus: Path, tmp_path: Path, changed: dict[str, object], devices: list[str]
) -> None:
    run = TrainingRun(replace(options(corpus, tmp_path / "run"), **changed))  # type: ignore[arg-type]
    assert run.devices() == devices


def test_several_gpus_train_one_domain_each(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = TrainingRun(replace(options(corpus, tmp_path / "run")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    run.options = replace(run.options, device="auto")
    assert run.devices() == ["cuda:0", "cuda:1"]
    run.options = replace(run.options, strategy="ddp")
    assert run.devices() == []


def test_under_torchrun_domains_are_not_trained_in_parallel(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(replace(options(corpus, tmp_path / "run"), parallel=2))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("RANK", "0")
    assert run.devices() == []


def test_unknown_names_are_refused_with_a_suggestion(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path)
    for wrong, message in (
        (replace(given, train=replace(given.train, loss_type="l1_wave")), "did you mean 'l1_wav'"),
        (replace(given, adapter=replace(given.adapter, method="lorra")), "did you mean 'lora'"),
    ):
        with pytest.raises(InputError, match=message):
            check_choices(wrong)


def test_a_fast_dev_run_is_a_few_batches_in_an_empty_sub_folder(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "fast_dev_run" / "checkpoints").mkdir(parents=True)
    short = shortened(replace(options(corpus, tmp_path / "run", epochs=10), resume=True))
    assert short.workspace == tmp_path / "run" / "fast_dev_run"
    assert not short.workspace.exists()
    assert (short.train.max_epochs, short.train.steps_per_epoch, short.resume) == (1, 3, False)
