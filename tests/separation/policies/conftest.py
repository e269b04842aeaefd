"""A small base and bank for the tests of policies on recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_banks import write_small_bank


@pytest.fixture(scope="session")
def small_bank(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base file and a bank folder of three adapters."""
    return write_small_bank(tmp_path_factory.mktemp("bank"))
