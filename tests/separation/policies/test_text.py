"""``text``: the domain with the nearest text centroid."""

from __future__ import annotations

import pytest
from made_choices import choice

from dplass_cli.separation.policies import make_policy


@pytest.mark.parametrize(("degrees", "key"), [(10.0, "domain0"), (50.0, "domain1"), (140.0, "domain2")])
def test_the_adapter_of_the_nearest_centroid_serves(degrees: float, key: str) -> None:
    assert make_policy("text").choose(choice(degrees)) == key


def test_it_requires_domains_only() -> None:
    assert make_policy("text").requires == {"domains"}
