"""Commands are made from declared options: their flags, what the options get of them, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from dplass_cli.cli.commands import add_command
from dplass_cli.cli.console import VerbRun
from dplass_cli.options.declaration import argument, option, required, section, setting
from dplass_cli.options.parse import to_mapping


@dataclass(frozen=True)
class Inner:
    speed: float = option(1.5, "How fast.")
    depth: int = setting(3, "How deep.")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the test's verb."""

    files: tuple[Path, ...] = argument("FILE", "Files.", ())
    count: int | Literal["auto"] = option(7, "How many.")
    name: str = required("What it is called.", also="-n", hidden=("--old_name",))
    names: tuple[str, ...] | None = option(None, "More names.", split=True)
    tag: tuple[str, ...] = option((), "Tags. Repeatable.")
    where: dict[str, str] = option({}, "Conditions.")
    report: bool = option(True, "Report.", "--report/--no-report", shown="yes")
    max_size: float | None = option(None, "Largest size.", panel="Sizes")
    inner: Inner = section(Inner, "Inside.", flags=True)
    kind: str = field(default="?")


def print_options(options: Options, run: VerbRun) -> None:
    """Print the options.

    Example: verb --name x
    """
    run.result(options, lambda: "as a table")


@pytest.fixture
def group() -> typer.Typer:
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback()(lambda: None)
    add_command(group, "verb", print_options, given={"kind": "mine"})
    return group


def parsed(group: typer.Typer, *words: str) -> dict[str, Any]:
    done = CliRunner().invoke(group, ["verb", *words, "--json"])
    assert done.exit_code == 0, done.output
    options: dict[str, Any] = json.loads(done.stdout)
    return options


def refused(group: typer.Typer, *words: str) -> str:
    done = CliRunner().invoke(group, ["verb", *words])
    assert done.exit_code == 2, done.output
    return done.stderr


def test_what_is_not_given_has_its_default(group: typer.Typer) -> None:
    assert parsed(group, "-n", "x") == to_mapping(Options(name="x", kind="mine"))


def test_flags_reach_their_options(group: typer.Typer) -> None:
    words = ["a", "b", "--count", "3", "--name", "x", "--names", "c,d", "--tag", "e", "--tag", "f", "--no-report"]
    given = parsed(group, *words, "--where", "split=train,test", "--max-size", "2", "--speed", "4")
    assert given == {
        "files": ["a", "b"], "count": 3, "name": "x", "names": ["c", "d"], "tag": ["e", "f"],
        "where": {"split": "train,test"}, "report": False, "max_size": 2.0, "inner": {"speed": 4.0, "depth": 3},
        "kind": "mine",
    }  # fmt: skip


def test_a_number_may_be_a_word(group: typer.Typer) -> None:
    assert parsed(group, "-n", "x", "--count", "auto")["count"] == "auto"
    assert "--count many: must be a whole number" in refused(group, "-n", "x", "--count", "many")


def test_every_verb_takes_config_and_settings(group: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("name: y\ntag: [g]\ninner: {depth: 5}\n")
    given = parsed(group, "--config", str(tmp_path / "c.yaml"), "--set", "inner.speed=8", "--tag", "h")
    assert (given["name"], given["tag"], given["inner"]) == ("y", ["h"], {"speed": 8.0, "depth": 5})


def test_hidden_spellings_and_underscores_are_understood_and_not_shown(group: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("tag: [g]\n")
    given = parsed(group, "--old_name=x", "--max_size", "3", f"--config_yaml={tmp_path / 'c.yaml'}")
    assert (given["name"], given["max_size"], given["tag"]) == ("x", 3.0, ["g"])
    shown = CliRunner().invoke(group, ["verb", "--help"]).output
    assert "--old_name" not in shown
    assert "--config_yaml" not in shown


def test_after_two_hyphens_words_are_arguments(group: typer.Typer) -> None:
    assert parsed(group, "-n", "x", "--json", "--", "--old_name")["files"] == ["--old_name", "--json"]


def test_a_required_option_that_is_missing_is_named(group: typer.Typer) -> None:
    assert refused(group) == "dplass: --name is not given; --help shows an example\n"


def test_a_condition_without_a_value_is_named(group: typer.Typer) -> None:
    assert "--where 'split': expected NAME=VALUE" in refused(group, "-n", "x", "--where", "split")


def test_help_shows_defaults_and_groups(group: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    shown = CliRunner().invoke(group, ["verb", "--help"]).output
    assert "How many.  [default: 7]" in shown
    assert "Report.  [default: yes]" in shown
    assert "What it is called.  [required]" in shown
    assert shown.count("[required]") == 1
    assert "[FILE]" in shown
    for panel in ("Arguments", "Options", "Sizes", "Common"):
        assert f" {panel} " in shown
