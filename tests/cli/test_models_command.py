"""``dplass models`` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app

run = CliRunner().invoke


def test_models_are_listed_with_the_command_that_fetches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPLASS_HOME", str(tmp_path))
    done = run(app, ["models"])
    assert done.exit_code == 0, done.output
    assert "dplass weights fetch audiosep" in done.stdout
    listed = {item["name"]: item for item in json.loads(run(app, ["models", "--json"]).stdout)}
    assert listed["tiny"]["missing"] == []
    assert listed["audiosep"]["missing"] == [
        str(tmp_path / "audiosep/audiosep_base_4M_steps.ckpt"),
        str(tmp_path / "roberta"),
    ]


def test_a_model_that_is_not_there_stops_a_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPLASS_HOME", str(tmp_path))
    done = run(app, ["separate", "a.wav", "-q", "rain", "--model", "audiosep", "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert done.stderr.startswith("dplass: --model audiosep: ")


def test_what_has_to_be_fetched_is_not_called_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPLASS_HOME", str(tmp_path))
    rows = [line for line in run(app, ["models"]).stdout.splitlines() if "bundled" in line]
    assert [row.split()[0] for row in rows] == ["tiny", "tiny-fast", "tiny-0.1"]
