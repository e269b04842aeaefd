"""The table of policies: names, refinements, and what each requires of a bank."""

from __future__ import annotations

import re

import pytest
from small_banks import write_small_bank

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.separation.policies import POLICIES, make_policy, parse_selection, require, unmet_requirement


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    base, bank = write_small_bank(tmp_path_factory.mktemp("bank"))
    return load_models(ModelSpec(base=base, encoder="tiny", adapters=(bank,)))


def test_a_misspelt_policy_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'text-knn'"):
        make_policy("text-kn")


def test_names_of_version_0_1_are_understood(models: Models) -> None:
    bank = models.bank
    assert make_policy("proven").name == "validated"
    assert parse_selection("proven", bank) == ("validated", None)
    assert parse_selection("contrast", bank) == ("validated", "residual")
    assert parse_selection("contrast:text", bank) == parse_selection("text+residual", bank) == ("text", "residual")
    assert parse_selection("contrast:single:2", bank) == ("single:2", "residual")
    assert parse_selection("contrast", AdapterBank(bank.network)) == ("base", "residual")


@pytest.mark.parametrize("name", ["contrast:audio", "contrast:oracle", "audio+residual"])
def test_policies_that_need_outputs_cannot_be_refined(models: Models, name: str) -> None:
    with pytest.raises(InputError, match="only policies that choose by the query can be refined"):
        parse_selection(name, models.bank)


@pytest.mark.parametrize("name", ["contrast:contrast", "text+more"])
def test_an_unknown_refinement_is_refused(models: Models, name: str) -> None:
    with pytest.raises(
        InputError, match=rf"--select {re.escape(name)}|--select contrast: must be one of base, .*single:k"
    ):
        parse_selection(name, models.bank)


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "base"])
def test_a_bank_without_adapters_serves_only_the_base(models: Models, name: str) -> None:
    empty = AdapterBank(models.bank.network)
    assert unmet_requirement(make_policy("base"), empty) is None
    with pytest.raises(InputError, match=f"--select {name}: needs .*adapters.*; give --adapters BANK"):
        require(make_policy(name), empty)
