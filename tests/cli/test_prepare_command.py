"""``dplass prepare`` as it is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_lines import verbs
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.data.prepare.corpora import CORPORA


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["prepare", *map(str, arguments)])


@pytest.fixture
def folder(clips: dict[str, Path], tmp_path: Path) -> Path:
    """Two classes of sounds with a CSV list."""
    for name in ("rain", "siren"):
        (tmp_path / "corpus" / name).mkdir(parents=True)
        (tmp_path / "corpus" / name / "a.wav").write_bytes(clips[name].read_bytes())
    (tmp_path / "list.csv").write_text("file,text,part\nrain/a.wav,falling rain,train\nsiren/a.wav,a siren,test\n")
    return tmp_path / "corpus"


def test_a_corpus_is_a_verb_that_says_what_it_is_and_where_from() -> None:
    helps = {words[1]: command.help for words, command in verbs() if words[0] == "prepare"}
    assert helps.pop("merge")
    assert helps.pop("generate")
    assert helps.pop("mixtures")
    assert helps.pop("shards")
    assert helps.keys() >= {"csv", "folder", "esc50"}
    for kind, text in helps.items():
        assert text.startswith(f"{CORPORA[kind].what} ({CORPORA[kind].source})")


def test_columns_and_conditions_are_repeated_pairs(folder: Path, tmp_path: Path) -> None:
    columns = ["--column", "wav=file", "--column", "caption=text", "--where", "part=train,valid"]
    given = ["csv", folder, "--table", tmp_path / "list.csv", *columns, "--output", tmp_path / "m.json"]
    done = run(*given, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 1
    (row,) = json.loads((tmp_path / "m.json").read_text())["data"]
    assert row["caption"] == "falling rain"


def test_a_pair_without_a_value_is_refused(folder: Path, tmp_path: Path) -> None:
    done = run("csv", folder, "--column", "wav", "--output", tmp_path / "m.json")
    assert done.exit_code == 2
    assert done.stderr == "dplass: --column 'wav': expected NAME=VALUE\n"


def test_manifests_are_merged_in_shares(folder: Path, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert run("folder", folder, "--output", tmp_path / name).exit_code == 0
    done = run("merge", tmp_path / "a.json", tmp_path / "b.json", "--output", tmp_path / "both.json")
    assert done.exit_code == 0, done.output
    assert "both.json: 4 rows" in done.stdout


def test_an_output_that_is_also_an_input_is_refused(folder: Path, tmp_path: Path) -> None:
    table, manifest = tmp_path / "list.csv", tmp_path / "a.json"
    before = table.read_bytes()
    manifest.write_text(json.dumps({"data": [{"wav": str(folder / "rain/a.wav"), "caption": "rain"}]}))
    written = manifest.read_bytes()
    for arguments in (
        ["csv", folder, "--table", table, "-o", table],
        ["merge", manifest, "-o", manifest],
        ["mixtures", manifest, "-o", folder.parent / "corpus/../a.json"],
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert done.stderr.endswith("would overwrite a file of another option; give another name\n")
    assert (table.read_bytes(), manifest.read_bytes()) == (before, written)
