"""The verb ``train``: plans, results and unreadable files, for people and as JSON; progress in several lines."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.cli.common import Verb
from dplass_cli.pipelines.train import TrainOptions, TrainResult
from dplass_cli.training.trainer import Trained


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
        (["--what", "bases"], "what must be one of adapters, base, distil, not 'bases'"),
        (["--set", "train.loss_type=l1_wave"], "train.loss_type 'l1_wave' is unknown; did you mean 'l1_wav'"),
        (["--set", "train.optimizer.schedule=cos"], "'cos' is unknown; did you mean 'cosine'"),
        (["--set", "data.augment.gain.low=1"], "unknown option 'low'"),
        (["--max-bad-files", "-1"], "max_bad_files must be at least 0"),
        (["--device", "cpu", "--what", "distil", "--set", "data.use_text_ratio=2"], "between 0 and 1, not 2"),
    ],
)
def test_wrong_options_are_one_line_and_2(corpus: Path, tmp_path: Path, wrong: list[str], message: str) -> None:
    done = CliRunner().invoke(app, arguments(corpus, tmp_path / "run", *wrong))
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


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


def test_work_with_a_name_has_a_line_of_its_own() -> None:
    verb = Verb(json_output=False)
    try:
        for done, what in ((1, "domain0: loss 1"), (2, "domain1: loss 2"), (3, "domain0: loss 3"), (1, "mixtures")):
            verb._show_bar(done, 10, what)
        lines = [(task.description, task.completed) for task in verb._bar.tasks]
        assert lines == [("domain0: loss 3", 3), ("domain1: loss 2", 2), ("mixtures", 1)]
    finally:
        verb.close()
