"""``single:k``: one adapter for every query."""

from __future__ import annotations

import pytest
from made_choices import choice

from dplass_cli.errors import InputError
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.policies.built_in import single_key


@pytest.mark.parametrize("which", ["2", "domain2"])
def test_an_adapter_is_named_by_its_key_or_the_number_of_its_domain(which: str) -> None:
    assert make_policy(f"single:{which}").choose(choice(0.0)) == "domain2"


def test_a_key_that_is_a_number_is_preferred_to_a_domain() -> None:
    assert single_key("2", ["2", "domain2"]) == "2"


def test_an_adapter_that_is_not_loaded_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="--select single:7: no adapter 'domain7' is loaded; loaded: domain0, domain1"):
        make_policy("single:7").choose(choice())
