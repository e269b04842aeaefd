"""The files that version 0.1 wrote are read, gone on with, and give the numbers that they gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from frozen.old_files import USES, use
from frozen.surface import FROZEN, read

# Other processors round differently, and a training adds that up over its steps.
TOLERANCES = {"workspace": 2e-3}


def flat(value: Any, where: str = "") -> dict[str, Any]:
    """The leaves of a JSON value by where they are."""
    if isinstance(value, dict):
        return {path: leaf for key, inner in value.items() for path, leaf in flat(inner, f"{where}/{key}").items()}
    if isinstance(value, list):
        return {path: leaf for key, inner in enumerate(value) for path, leaf in flat(inner, f"{where}/{key}").items()}
    return {where: value}


@pytest.mark.parametrize("name", USES)
def test_files_of_version_0_1_give_what_they_gave(name: str, tmp_path: Path) -> None:
    frozen, now = flat(read("old_files.json")[name]), flat(use(name, FROZEN / "v0.1", tmp_path))
    tolerance = TOLERANCES.get(name, 1e-4)
    differences = {
        path: (value, now.get(path, "gone"))
        for path, value in frozen.items()
        if not (
            now.get(path) == pytest.approx(value, abs=tolerance)
            if isinstance(value, float)
            else path in now and now[path] == value
        )
    }
    assert differences == {}
