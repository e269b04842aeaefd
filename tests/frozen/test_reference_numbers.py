"""The bundled models reach what they reached with version 0.1, at the level that recordings have."""

from __future__ import annotations

from typing import Any

import pytest
from frozen.small_numbers import numbers
from frozen.surface import lost_numbers, read

# dB. Other processors and versions of torch round differently; the same code on the same machine gives 1e-6.
TOLERANCE = 2e-3


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What this code reaches."""
    return numbers(tmp_path_factory.mktemp("numbers"))


@pytest.mark.parametrize("part", ["measured", "separated"])
def test_the_numbers_are_those_of_version_0_1(part: str, found: Any) -> None:
    assert lost_numbers(read("reference_numbers.json")[part], found[part], TOLERANCE) == {}
