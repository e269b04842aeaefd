"""Continuous integration and the container do what `make check` and the README say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "check.yml"


@pytest.fixture
def job() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["check"]
    return found


def test_the_hosted_runners_do_what_make_check_does(job: dict[str, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    commands = [line.strip().removeprefix("OMP_NUM_THREADS=1 ") for line in recipe[1].splitlines()]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps == [
        "bash scripts/setup.sh dev",
        *(command.replace("$(PYTHON)", "uv run --no-sync python") for command in commands),
    ]
    assert job["env"]["OMP_NUM_THREADS"] == "1"


def test_all_systems_are_tested_with_the_oldest_and_the_newest_python(job: dict[str, Any]) -> None:
    matrix = job["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.10", "3.14"]


def test_actions_are_pinned_to_a_release(job: dict[str, Any]) -> None:
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    assert all(re.search(r"@v\d+\.\d+\.\d+$", action) for action in actions)


def test_the_container_copies_what_the_package_is_built_of() -> None:
    """What is ignored, or not copied, would be missing in the wheel."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = {"pyproject.toml", "README.md", "LICENSE", "dplass_cli", "constraints.txt"}
    needed |= set(re.findall(r'^(\w+) = "dplass_cli/\w+"$', project, re.MULTILINE))
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {word for line in re.findall(r"^COPY (?!--)(.*) \S+$", recipe, re.MULTILINE) for word in line.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    assert copied == kept == needed
