"""Types and defaults in words, and the page of all options."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from dplass_cli.options.declaration import option, option_fields, setting
from dplass_cli.options.tables import default_text, options_table, type_text

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Options:
    rate: float = option(2.0, "A | B.")
    keep: bool = option(True, "Keep.", "--keep/--drop")
    exact: bool = setting(False, "Exact.")
    names: tuple[str, ...] = option((), "Names.", "--name")
    inner_sizes: tuple[int, ...] = option((1, 2), "Sizes.", "--sizes")
    method: str | None = option(None, "Method.", shown="the best")
    undeclared: int = field(default=3)


def test_a_table_has_a_row_for_each_declared_option() -> None:
    assert options_table(Options).splitlines() == [
        "| option | type | default | meaning |",
        "|---|---|---|---|",
        "| `--rate` | number | 2 | A \\| B. |",
        "| `--keep/--drop` | flag | yes | Keep. |",
        "| `exact` | true or false | false | Exact. |",
        "| `--name` (`names`) | list of text |  | Names. |",
        "| `--sizes` (`inner_sizes`) | list of whole number | 1, 2 | Sizes. |",
        "| `--method` | text | the best | Method. |",
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int | None, "whole number"),
        (int | Literal["auto"], "whole number or auto"),
        (Literal["a", "b"], "a, b"),
        (tuple[int, int], "2 values"),
        (float | dict[str, float], "number or mapping"),
        (dict[str, Any], "mapping"),
        (Path, "path"),
    ],
)
def test_types_in_words(kind: Any, words: str) -> None:
    assert type_text(kind) == words


def test_a_false_flag_and_an_empty_list_show_no_default() -> None:
    shown = {each.key: default_text(each) for each in option_fields(Options)}
    assert shown == {
        "rate": "2", "keep": "yes", "exact": "false", "names": "", "inner_sizes": "1, 2", "method": "the best"
    }  # fmt: skip


def test_the_page_of_options_is_what_the_declarations_say() -> None:
    script = ROOT / "scripts" / "write_options.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
