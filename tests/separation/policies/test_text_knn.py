"""``text-knn``: the nearest captions vote for their domains."""

from __future__ import annotations

import pytest
from made_choices import choice

from dplass_cli.errors import InputError
from dplass_cli.separation.policies import make_policy


def test_by_default_the_nearest_caption_decides() -> None:
    assert make_policy("text-knn").choose(choice(63.0)) == "domain0"


def test_several_neighbours_outvote_the_nearest_one() -> None:
    assert make_policy("text-knn:3").choose(choice(63.0)) == "domain1"


def test_votes_are_weighted_by_cosines() -> None:
    # domain1 has more captions among the six, but those of domain0 are nearer.
    assert make_policy("text-knn:6").choose(choice(-20.0)) == "domain0"


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many"])
def test_the_number_of_neighbours_must_be_positive(number: str) -> None:
    with pytest.raises(InputError, match=f"--select text-knn:{number}: expected a number of captions, such as text-k"):
        make_policy(f"text-knn:{number}")
