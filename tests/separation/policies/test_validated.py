"""``validated``: only adapters that beat the base on held-out sounds."""

from __future__ import annotations

import pytest
from made_choices import choice

from dplass_cli.separation.policies import make_policy


@pytest.mark.parametrize(("gain_db", "key"), [(0.3, "domain1"), (0.0, None), (-0.2, None)])
def test_the_nearest_domain_is_used_only_where_its_adapter_gains(gain_db: float, key: str | None) -> None:
    assert make_policy("validated").choose(choice(90.0, (1.0, gain_db, 1.0))) == key
