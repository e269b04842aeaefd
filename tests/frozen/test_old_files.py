"""The files that version 0.1 wrote are read, gone on with, and give the numbers that they gave."""

from __future__ import annotations

from pathlib import Path

import pytest
from frozen.old_files import USES, use
from frozen.surface import FROZEN, lost_numbers, read

# Other processors round differently, and a training adds that up over its steps.
TOLERANCES = {"workspace": 2e-3}


@pytest.mark.parametrize("name", USES)
def test_files_of_version_0_1_give_what_they_gave(name: str, tmp_path: Path) -> None:
    now = use(name, FROZEN / "v0.1", tmp_path)
    assert lost_numbers(read("old_files.json")[name], now, TOLERANCES.get(name, 1e-4)) == {}
