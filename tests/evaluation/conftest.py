"""Models and scores that the tests of evaluations share."""

from __future__ import annotations

import pytest
from small_banks import write_small_bank

from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.loading import Models, load_models


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A small base with three adapters: of dog bark and owl hoot, of rain and helicopter, of siren and flute."""
    base, bank = write_small_bank(tmp_path_factory.mktemp("models"))
    return load_models(ModelSpec(base=base, encoder="tiny", adapters=(bank,), device="cpu"))
