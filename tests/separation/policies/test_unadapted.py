"""``base``: no adapter."""

from __future__ import annotations

from made_choices import choice

from dplass_cli.separation.policies import make_policy


def test_every_query_is_served_by_the_base() -> None:
    assert make_policy("base").choose(choice(90.0)) is None


def test_it_requires_nothing() -> None:
    assert make_policy("base").requires == frozenset()
