"""When a policy chooses: before anything is separated, or by the outputs."""

from __future__ import annotations

import pytest

from dplass_cli.separation.policies import POLICIES, make_policy
from dplass_cli.separation.policies.base import chooses_by_query


@pytest.mark.parametrize("name", POLICIES)
def test_only_audio_and_oracle_need_outputs_to_choose(name: str) -> None:
    assert chooses_by_query(make_policy(name)) == (name not in ("audio", "oracle"))
