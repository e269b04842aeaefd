"""``dplass embed`` and ``dplass retrieve`` as they are called."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from dplass_cli.cli import app


def test_embeddings_are_kept_and_sounds_are_found_by_them(corpus: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "embeddings")
    given = ["embed", str(corpus / "train.json"), "--output", cache, "--batch", "8", "--device", "cpu", "--json"]
    first, again = (json.loads(CliRunner().invoke(app, given).stdout) for _ in range(2))
    assert (first["rows"], first["embedded"], first["complete"]) == (18, 18, True)
    assert (again["hits"], again["embedded"]) == (18, 0)
    asked = ["retrieve", "Siren", "--data", str(corpus / "train.json"), "--cache", cache, "--top", "2", "--eval"]
    done = CliRunner().invoke(app, [*asked, "--json"])
    found = json.loads(done.stdout)
    assert [sound["rank"] for sound in found["found"]["Siren"]] == [1, 2]
    assert found["evaluation"]["sounds"] == 18
    shown = CliRunner().invoke(app, asked).stdout
    for heading in ("similarity", "Text to audio", "R@1", "mAP@10"):
        assert heading in shown


def test_clips_that_cannot_be_embedded_are_lines_and_exit_code_1(corpus: Path, tmp_path: Path) -> None:
    rows = [{"wav": str(corpus / "rain0.wav"), "caption": "rain"}, {"wav": "gone.wav", "caption": "wind"}]
    (tmp_path / "m.json").write_text(json.dumps({"data": rows}))
    done = CliRunner().invoke(app, ["embed", str(tmp_path / "m.json"), "--output", str(tmp_path / "e")])
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("dplass: ")
    assert "gone.wav" in line
