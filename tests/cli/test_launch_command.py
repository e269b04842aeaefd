"""``dplass launch`` as it is called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.cli.launch_command import _failure
from dplass_cli.launching.following import TaskRecord

run = CliRunner().invoke


def test_the_plan_shows_the_commands_and_starts_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "launch"
    words = ["embed", "train.json", "--output", "embeddings", "--json"]
    done = run(app, ["launch", "local", "--tasks", "2", "--folder", str(folder), "--dry-run", "--json", *words])
    assert done.exit_code == 0, done.output
    planned = json.loads(done.stdout)
    assert planned["commands"]["share1"] == [sys.executable, "-m", "dplass_cli", *words]
    assert not folder.exists()


def test_options_after_the_verb_are_those_of_the_verb(tmp_path: Path) -> None:
    words = ["train", "--what", "base", "--data", "d", "--workspace", "w", "--dry-run", "--set", "parallel=2"]
    done = run(app, ["launch", "local", "--dry-run", "--json", *words])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["commands"]["train"][3:][: len(words)] == words


def test_a_verb_is_run_and_what_failed_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "launch"
    launch = ["launch", "local", "--set", "poll_seconds=0.05", "--folder", str(folder)]
    done = run(app, [*launch, "weights", "verify", "--output", str(tmp_path)])
    assert done.exit_code == 1
    log = folder / "weights.log"
    said = log.read_text().splitlines()[-1].removeprefix("dplass: ")
    assert "contains no fetched files" in said
    assert f"dplass: weights: failed (exit code 2): {said}; see {log}\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "trian: no such command; did you mean 'train'?"),
        (["weights", "nonsense"], "nonsense: no such command"),
        (["embed", "train.json", "--tasks", "2"], "--tasks: no such option"),
        (["train", "--epochs", "3"], "--epochs: no such option; did you mean '--max-epochs'?"),
        (["train", "--data", "d", "--workspace", "w", "--set", "adapter.rnk=3"], "did you mean 'adapter.rank'?"),
        (["separate", "a.wav"], "--output is not given"),
    ],
)
def test_a_verb_that_its_tasks_would_refuse_is_not_started(words: list[str], message: str, tmp_path: Path) -> None:
    done = run(app, ["launch", "local", "--folder", str(tmp_path / "launch"), *words])
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "launch").exists()


def test_a_task_that_was_killed_before_it_said_anything_is_listed_with_its_starts(tmp_path: Path) -> None:
    record = TaskRecord("share0", "7", "lost", 4, "killed by signal 9", str(tmp_path / "share0.log"))
    assert _failure(record) == f"share0: lost (killed by signal 9, started 4 times); see {tmp_path / 'share0.log'}"


def test_a_missing_extra_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = run(app, ["launch", "ray", "--folder", str(tmp_path), "weights", "list"])
    assert done.exit_code == 2
    assert done.stderr == "dplass: launch ray: needs the extra; pip install 'dplass[ray]'\n"
