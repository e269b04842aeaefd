"""``dplass`` alone suggests the next step in the current folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_lines import understood
from typer.testing import CliRunner

from dplass_cli.cli import app


def make(folder: Path, *files: str) -> None:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"data": []}) if path.name == "train.json" else "")


@pytest.mark.parametrize(
    ("files", "found", "next_verb"),
    [
        ([], "no files of dplass yet", ("quickstart",)),
        (["notes.json", "a.csv"], "no files of dplass yet", ("quickstart",)),
        (["my dog.wav"], "'my dog.wav' is a recording", ("separate",)),
        (["train.json"], "train.json is a manifest", ("partition",)),
        (["train.json", "partition/partition.json"], "partition is a partition", ("doctor",)),
        (["partition.json"], ". is a partition", ("doctor",)),
        (["run/config.yaml", "run/checkpoints/domain0/last.ckpt"], "run is an unfinished training run", ("train",)),
        (["run/config.yaml", "run/checkpoints/x", "run/bank/bank.json"], "run/bank is a bank", ("evaluate",)),
        (["config.yaml", "checkpoints/domain0/trained.json", "bank/bank.json"], "bank is a bank", ("evaluate",)),
        (
            ["run/config.yaml", "run/checkpoints/domain1/last.ckpt", "run/bank/bank.json"],
            "run is an unfinished training run",
            ("train",),
        ),
        (["run/config.yaml", "run/checkpoints/base/trained.json", "p/partition.json"], "p is a partition", ("doctor",)),
        (["run/bank/bank.json", "e/results.json", "e/items.csv"], "e is an evaluation", ("results", "scan")),
        (  # what quickstart writes
            ["demo/p/partition.json", "demo/evaluation/results/results.json", "demo/evaluation/results/items.csv"],
            "demo/evaluation/results is an evaluation",
            ("results", "scan"),
        ),
    ],
)
def test_files_in_the_folder_decide_the_suggestion(
    files: list[str], found: str, next_verb: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, *files)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Here: {found}")
    commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("    dplass ")]
    assert next(understood(command) for command in commands) == next_verb


def test_audioset_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "eval_segments.csv").write_text("# Segments csv\n# num_ytids=1\n# YTID, start_seconds\n")
    make(tmp_path, "class_labels_indices.csv")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, []).stdout
    assert "prepare-audioset --segments eval_segments.csv --labels class_labels_indices.csv" in said


def test_a_bank_next_to_an_evaluation_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "run/bank/bank.json", "e/results.json", "e/items.csv")
    monkeypatch.chdir(tmp_path)
    assert "--adapters run/bank" in CliRunner().invoke(app, []).stdout


def test_an_unfinished_encoder_is_resumed_from_its_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "enc/config.yaml", "enc/checkpoints/encoder/last.ckpt", "p/partition.json")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, []).stdout
    assert "dplass train --what encoder --data MANIFEST --workspace enc --resume" in said
