"""Conditions: names, the runs that serve them, and which of them a bank can serve."""

from __future__ import annotations

import pytest

from dplass_cli.errors import InputError
from dplass_cli.evaluation.conditions import Condition, default_name, make_conditions
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import make_policy


def condition(name: str, refine: bool = False) -> Condition:
    return Condition(make_policy(name), refine)


def test_refinement_is_part_of_the_name() -> None:
    assert (condition("text").name, condition("text", True).name) == ("text", "text+residual")


def test_runs_of_the_base_and_of_adapters_are_shared() -> None:
    assert condition("text").run_name("domain1") == condition("single:1").run_name("domain1") == "domain1"
    assert condition("text").run_name(None) == "base"


def test_a_blend_has_a_run_of_its_own() -> None:
    assert condition("blend").run_name({"domain0": 0.5, "domain1": 0.5}) == "blend"


def test_a_refined_condition_has_a_run_of_its_own() -> None:
    assert condition("text", True).run_name("domain1") == "text+residual"
    assert condition("base", True).run_name(None) == "base+residual"


def test_only_the_oracle_is_a_bound() -> None:
    assert [name for name in ("base", "text", "audio", "blend", "oracle") if condition(name).bound] == ["oracle"]


def test_policies_on_outputs_or_the_reference_do_not_choose_by_the_query() -> None:
    names = ("base", "text", "text-knn", "single:1", "audio", "blend", "oracle")
    assert [name for name in names if not condition(name).chooses_by_query] == ["audio", "oracle"]


def test_all_policies_are_compared_where_adapters_have_domains(small_models: Models) -> None:
    names = [one.name for one in make_conditions(None, small_models.bank, similarity=True)]
    assert {"base", "text", "text-knn", "audio", "blend", "oracle"} <= set(names)


def test_the_default_is_among_the_policies_that_are_compared(small_models: Models) -> None:
    small_models.network.source = "tiny"  # whose own adapters are refined by default
    try:
        names = [one.name for one in make_conditions(None, small_models.bank)]
        assert default_name(small_models.bank) == "text-knn+residual"
    finally:
        small_models.network.source = ""
    assert {"text-knn+residual", "validated+residual"} <= set(names)


def test_several_adapters_without_domains_have_no_default(small_models: Models) -> None:
    bank = AdapterBank(small_models.network)
    for key in ("mine", "yours"):
        bank.add(key, small_models.bank.get(small_models.bank.keys[0]))
    assert default_name(bank) is None


def test_without_similarities_what_needs_them_is_left_out(small_models: Models) -> None:
    assert "audio" not in [one.name for one in make_conditions(None, small_models.bank, similarity=False)]


def test_without_adapters_only_the_base_is_evaluated(small_models: Models) -> None:
    assert [one.name for one in make_conditions(None, AdapterBank(small_models.network), similarity=True)] == ["base"]


def test_a_policy_given_twice_is_one_condition(small_models: Models) -> None:
    assert [one.name for one in make_conditions(("text", "base", "text"), small_models.bank, True)] == ["text", "base"]


def test_adapters_that_are_missing_are_asked_for(small_models: Models) -> None:
    with pytest.raises(InputError, match="--select oracle: needs adapters; give --adapters BANK"):
        make_conditions(("oracle",), AdapterBank(small_models.network), similarity=True)


def test_similarities_that_are_missing_are_asked_for(small_models: Models) -> None:
    with pytest.raises(InputError, match=r"--select audio: .*; remove --no-similarity"):
        make_conditions(("audio",), small_models.bank, similarity=False)
