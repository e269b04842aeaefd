"""The command line starts quickly, and its help lists every verb with an example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from command_lines import understood, verbs
from typer.testing import CliRunner

from dplass_cli import __version__
from dplass_cli.cli import app

VERBS = (
    "prepare-audioset", "partition", "train", "evaluate", "separate", "serve", "export", "embed", "quickstart",
    "doctor",
)  # fmt: skip


def test_help_imports_no_heavy_library_and_lists_the_verbs() -> None:
    code = (
        "import sys\n"
        "from dplass_cli.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as stop:\n    assert stop.code == 0, stop.code\n"
        "heavy = {'torch', 'numpy', 'torchaudio', 'pandas', 'sklearn', 'lightning', 'tqdm'}\n"
        "found = heavy & {name.partition('.')[0] for name in sys.modules}\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in VERBS:
        assert verb in done.stdout


def test_help_does_not_import_the_options_of_the_verbs() -> None:
    code = (
        "import sys\n"
        "from dplass_cli.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "found = [name for name in sys.modules if name.endswith(('_options', '_command')) or name == 'pydantic']\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_list_of_verbs_shows_the_first_line_of_their_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["--help"]).output
    suite: Any = typer.main.get_command(app)
    for name, command in suite.commands.items():
        assert f" {name} " in shown
        assert (command.help or "").splitlines()[0] in shown


def test_package_import_is_light_and_public_names_are_there() -> None:
    code = (
        "import sys, dplass_cli\n"
        "assert 'torch' not in sys.modules\n"
        "for name in dplass_cli.__all__:\n    assert getattr(dplass_cli, name) is not None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [words for words, _ in verbs()], ids=" ".join)
def test_every_verb_ends_its_help_with_an_example_that_is_understood(words: tuple[str, ...]) -> None:
    command = dict(verbs())[words]
    about, example, line = " ".join((command.help or "").split()).partition("Example: ")
    assert about.strip()
    assert example
    assert understood(line) == words


def test_the_shell_completes_verbs() -> None:
    asked = {"_DPLASS_COMPLETE": "complete_bash", "COMP_WORDS": "dplass prep", "COMP_CWORD": "1"}
    done = CliRunner().invoke(app, [], prog_name="dplass", env=asked)
    assert done.output.split() == ["prepare-audioset", "prepare"]


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"dplass {__version__}\n"


def test_published_spellings_are_understood_and_hidden(tmp_path: Path) -> None:
    given = ["evaluate", "--metadata_csv", str(tmp_path / "no.csv"), f"--audio_dir={tmp_path}", "-o", str(tmp_path)]
    assert "no.csv: no such file" in CliRunner().invoke(app, given).stderr
    assert "--metadata_csv" not in CliRunner().invoke(app, ["evaluate", "--help"]).output


def test_help_shows_defaults_and_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # brackets are not markup
    assert "[default: limit]" in CliRunner().invoke(app, ["separate", "--help"]).output
    assert "'dplass[download]'" in CliRunner().invoke(app, ["download-audioset", "--help"]).output


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["adapters", "merge"], "merge [OPTIONS] ADAPTER\n"),
        (["adapters", "diff"], "diff [OPTIONS] ADAPTER [SECOND]\n"),
        (["prepare", "merge"], "merge [OPTIONS] MANIFEST...\n"),
        (["separate"], "separate [OPTIONS] [INPUT]...\n"),
    ],
)
def test_brackets_in_the_usage_line_mean_optional(
    words: list[str], usage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = CliRunner().invoke(app, [*words, "--help"]).output.splitlines()
    assert any(f"{line.rstrip()}\n".endswith(usage) for line in lines)


@pytest.mark.parametrize("words", [words for words, _ in verbs()], ids=" ".join)
def test_help_fits_into_80_columns(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, [*words, "--help"]).output
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown.replace("AudioSet_evaluation …", "")  # nothing is cut off


@pytest.mark.parametrize("words", [words for words, _ in verbs()], ids=" ".join)
def test_every_verb_takes_the_common_options(words: tuple[str, ...]) -> None:
    command = dict(verbs())[words]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    expected = {"--set", "--json", "--verbose", "-v"} | ({"--config"} if words != ("sweep",) else set())
    assert expected <= flags
