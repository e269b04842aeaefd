"""The layout of the package: names occur once, docstrings keep one attribute per line, files stay readable."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dplass_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAY_REPEAT = {"__init__.py", "base.py"}
LONGEST = 420  # lines
# A line of a section that describes several names at once, such as "start, end: seconds."
SEVERAL = re.compile(r"\s+\w+(, \w+)+: ")
SECTIONS = ("Args:", "Attributes:")


def repeated(places: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: found for name, found in places.items() if len(found) > 1}


def documented(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(name, docstring) of the module and of every class and function in it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield getattr(node, "name", "the module"), ast.get_docstring(node, clean=False) or ""


def test_file_names_occur_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        if module.name not in MAY_REPEAT:
            places[module.name].append(str(module.relative_to(PACKAGE)))
    assert not repeated(places)


def test_class_names_occur_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(module.relative_to(PACKAGE)))
    assert not repeated(places)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_docstrings_describe_one_name_per_line(module: Path) -> None:
    wrong = []
    for name, text in documented(ast.parse(module.read_text(encoding="utf-8"))):
        inside = False
        for line in text.splitlines():
            if line.strip() in SECTIONS:
                inside = True
            elif line.strip().endswith(":") and line.strip()[:-1] in ("Returns", "Raises", "Yields"):
                inside = False
            elif inside and SEVERAL.match(line):
                wrong.append(f"{name}: {line.strip()}")
    assert not wrong


def test_files_stay_short() -> None:
    lengths = {str(m.relative_to(PACKAGE)): len(m.read_text(encoding="utf-8").splitlines()) for m in MODULES}
    assert not {name: length for name, length in lengths.items() if length > LONGEST}
