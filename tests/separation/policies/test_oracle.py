"""``oracle``: the adapter with the best score against the reference."""

from __future__ import annotations

import pytest
from made_choices import choice

from dplass_cli import Separator
from dplass_cli.errors import InputError
from dplass_cli.separation.policies import make_policy


def test_the_largest_score_wins_and_the_first_on_ties() -> None:
    scores = {"domain0": -3.0, "domain1": 4.0, "domain2": 4.0}
    assert make_policy("oracle").choose(choice(scores=scores)) == "domain1"


def test_without_a_reference_it_is_refused() -> None:
    with pytest.raises(InputError, match="--select oracle: needs the true source; use it in evaluations only"):
        make_policy("oracle").choose(choice())


def test_recordings_cannot_be_separated_by_it() -> None:
    with pytest.raises(InputError, match="--select oracle: needs the true source"):
        Separator.from_pretrained(policy="oracle", device="cpu")
