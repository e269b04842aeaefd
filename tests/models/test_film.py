"""The maps from a condition to betas; golden values are in tests/models/test_resunet30.py."""

from __future__ import annotations

import torch

from dplass_cli.models.resunet30 import FiLM


def test_each_beta_is_its_own_linear_map() -> None:
    film = FiLM({"a.b.beta1": 3, "a.beta2": 5}, 4)
    condition = torch.randn(2, 4)
    betas = film(condition)
    assert {path: tuple(beta.shape) for path, beta in betas.items()} == {
        "a.b.beta1": (2, 3, 1, 1),
        "a.beta2": (2, 5, 1, 1),
    }
    layer = film.get_submodule("a->b->beta1")
    torch.testing.assert_close(betas["a.b.beta1"][:, :, 0, 0], layer(condition))


def test_the_keys_are_those_of_audiosep() -> None:
    assert list(FiLM({"a.b.beta1": 3}, 4).state_dict()) == ["a->b->beta1.weight", "a->b->beta1.bias"]


def test_initially_the_biases_are_zero_and_the_weights_are_not() -> None:
    film = FiLM({"a": 3}, 4)
    film.reset()
    assert not film.state_dict()["a.bias"].any()
    assert film.state_dict()["a.weight"].all()
