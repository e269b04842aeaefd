"""The verb ``train``: plans, results and unreadable files, for people and as JSON; progress in several lines."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.training.train_result import Trained, TrainResult


def arguments(corpus: Path, workspace: Path, *more: str) -> list[str]:
    given = ["--data", corpus / "partition", "--base-checkpoint", corpus / "base.safetensors", "--encoder", "tiny"]
    return ["train", *map(str, given), "--workspace", str(workspace), "--device", "cpu", *more]


def test_a_plan_for_people_and_for_programs(corpus: Path, tmp_path: Path) -> None:
    given = arguments(corpus, tmp_path / "run", "--max-epochs", "3", "--dry-run")
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert "nothing is written yet" in done.stdout
    assert "domain2" in done.stdout
    done = CliRunner().invoke(app, [*given, "--json", "--what", "base", "--num_gpus", "1"])
    (job,) = json.loads(done.stdout)["plan"]
    assert (job["name"], job["rows"], job["steps"]) == ("base", 14, 3)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            ["--what", "bases"],
            "dplass: --what bases: must be one of adapters, base, distil, encoder; did you mean 'base'?",
        ),
        (["--set", "train.loss_type=l1_wave"], "; did you mean 'l1_wav'?"),
        (["--set", "train.optimizer.schedule=cos"], "train.optimizer.schedule cos: must be one of plateau"),
        (
            ["--set", "data.augment.gain.low=1"],
            "unknown option 'data.augment.gain.low'; did you mean 'data.augment.gain.lower_db'",
        ),
        (["--set", "data.augment.reverberation.folder=rooms"], "rooms: no such folder"),
        (["--max-bad-files", "-1"], "dplass: --max-bad-files -1: must be at least 0"),
        (
            ["--device", "cpu", "--what", "distil", "--set", "data.use_text_ratio=2"],
            "dplass: --set data.use_text_ratio=2.0: must be from 0 to 1",
        ),
        (["--max-epochs", "0"], "dplass: --max-epochs 0: must be at least 1"),
        (["--max-steps", "0"], "dplass: --max-steps 0: must be at least 1, or -1 for no limit"),
        (["--strategy", "dpp"], "--strategy dpp: must be one of auto, ddp; did you mean 'ddp'?"),
        (["--num-gpus", "-1"], "dplass: --num-gpus -1: must be at least 0"),
        (["--num-nodes", "0"], "dplass: --num-nodes 0: must be at least 1"),
        (["--set", "parallel=-2"], "dplass: --set parallel=-2: must be at least 0"),
        (["--device", "auto", "--num-gpus", "99"], "--num-gpus 99: torch sees"),
        (["--what", "base", "--adapters", "bank"], "--adapters: with --what base there is nothing to learn from them"),
        (["--domain", "0,Bark"], "--domain Bark: must be one of all, 0, 1, 2"),
        (["--set", "max_epochs=3"], "unknown option 'max_epochs'; did you mean 'train.max_epochs'"),
        (["--set", "train.learning_rate=1"], "did you mean 'train.optimizer.learning_rate'"),
        (["--set", "train.optimizer.optimizer_type=adamw"], "did you mean 'AdamW'"),
        (["--set", "train.optimizer.learning_rate=nan"], "learning_rate=nan: must be a finite number"),
        (["--set", "train.optimizer.weight_decay=-1"], "weight_decay=-1.0: must be at least 0"),
        (["--set", "train.optimizer.reduce_lr_steps=0"], "reduce_lr_steps=0: must be at least 1"),
        (["--set", "train.random_seed=-1"], "random_seed=-1: must be from 0 to 4294967295"),
        (["--set", "train.gradient_clip=-1"], "gradient_clip=-1.0: must be at least 0"),
        (["--set", "adapter.alpha=0"], "adapter.alpha=0.0: must be other than 0"),
        (["--set", "data.noise_dir=gone", "--dry-run"], "gone: no such folder"),
        (["--set", f"data.noise_dir={__file__}"], "test_train_command.py: is a file; expected a folder"),
        (["--set", "data.segment_seconds=0.001"], "the network's transform needs more than 0.008 s"),
    ],
)
def test_wrong_options_are_one_line_and_2(corpus: Path, tmp_path: Path, wrong: list[str], message: str) -> None:
    done = CliRunner().invoke(app, arguments(corpus, tmp_path / "run", *wrong))
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_logging_to_a_service_whose_package_is_missing_is_refused(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb.errors", None)  # as on Python 3.13, where laion-clap does not bring it
    asked = ("--set", "train.num_workers=0", "--set", "train.wandb_project=sounds")
    done = CliRunner().invoke(app, arguments(corpus, tmp_path / "run", *asked))
    assert done.exit_code == 2
    assert "train.wandb_project sounds: needs wandb, which is not installed; pip install wandb" in done.stderr


def test_a_run_in_its_own_partition_is_refused(corpus: Path) -> None:
    done = CliRunner().invoke(app, arguments(corpus, corpus / "partition", "--dry-run"))
    assert done.exit_code == 2
    assert "partition: is the partition folder; choose another folder" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--what", "distil"], "--what distil: needs adapters to learn from; add --adapters BANK"),
        (["--set", "train.wandb_project=sounds"], "train.wandb_project sounds: "),
    ],
)
def test_what_is_found_wrong_later_leaves_the_workspace_free(
    corpus: Path, tmp_path: Path, wrong: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    done = CliRunner().invoke(app, arguments(corpus, tmp_path / "run", "--set", "train.num_workers=0", *wrong))
    assert done.exit_code == 2
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("dplass: ")]
    assert message in said
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "config.yaml").exists()  # else the right words would need another workspace


def test_a_domain_that_is_named_twice_is_trained_once(corpus: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*arguments(corpus, tmp_path / "run", "--domain", "1,1", "--dry-run"), "--json"])
    assert [job["name"] for job in json.loads(done.stdout)["plan"]] == ["domain1"]


def test_unreadable_files_are_listed(corpus: Path, tmp_path: Path) -> None:
    trained = Trained(2, 6, 7.25, unreadable={"a.wav": "a.wav: the file is empty"})
    result = TrainResult(tmp_path / "bank", {3: trained}, skipped=(4,))

    def pipeline(options: TrainOptions, *progress: Any, **named: Any) -> TrainResult:
        return result

    with mock.patch("dplass_cli.pipelines.train.train", pipeline):
        done = CliRunner().invoke(app, arguments(corpus, tmp_path / "run"))
    assert done.exit_code == 0
    assert "7.25" in done.stdout
    assert "3: skipped: a.wav: the file is empty" in done.stderr
    assert "domain 4 has no clips" in done.stderr


def test_a_stop_ends_with_3(corpus: Path, tmp_path: Path) -> None:
    def pipeline(options: TrainOptions, *progress: Any, **named: Any) -> TrainResult:
        signal.raise_signal(signal.SIGTERM)
        return TrainResult(tmp_path)

    with mock.patch("dplass_cli.pipelines.train.train", pipeline):
        done = CliRunner().invoke(app, arguments(corpus, tmp_path / "run"))
    assert done.exit_code == 3
    assert "--resume" in done.stderr
