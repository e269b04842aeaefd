"""Targets that share a recording count no sound twice."""

from __future__ import annotations

import pytest
import torch

from dplass_cli.audio.stft import STFT
from dplass_cli.separation.masks import share
from dplass_cli.separation.queries import Plan, Target

TRANSFORM = STFT(256, 64)


def made(estimates: torch.Tensor, mixture: torch.Tensor, targets: dict[str, Target], one_mask: bool) -> torch.Tensor:
    conditions = {name: torch.zeros(4) for name in ("a", "b", "c")[: len(estimates)]}
    return share(estimates, mixture, Plan(conditions, targets), TRANSFORM, one_mask)


@pytest.mark.parametrize("one_mask", [True, False])
@pytest.mark.parametrize("length", [1, 100, 3000])
def test_targets_have_no_more_than_the_mixture_in_any_cell(length: int, one_mask: bool) -> None:
    torch.manual_seed(0)
    mixture, estimates = torch.randn(2, length), torch.randn(3, 2, length)
    every = ("a", "b", "c")
    out = made(estimates, mixture, {name: Target(name, every) for name in every}, one_mask)
    assert out.shape == estimates.shape
    assert torch.isfinite(out).all()
    if length > 256:
        # One mask of the mixture's spectrum each, adding up to one at most: what is left has a mask, too.
        spectra, whole = TRANSFORM(out.flatten(0, 1)).abs(), TRANSFORM(mixture).abs()
        inner = slice(4, -4)
        assert (spectra.unflatten(0, (3, 2)).sum(0)[:, inner].mean() / whole[:, inner].mean()) < 1.01


def test_estimates_that_fit_keep_their_magnitude() -> None:
    torch.manual_seed(0)
    mixture = torch.randn(1, 4000)
    estimates = torch.stack([0.5 * mixture, 0.3 * mixture])
    out = made(estimates, mixture, {name: Target(name, ("a", "b")) for name in ("a", "b")}, True)
    torch.testing.assert_close(out, estimates, atol=1e-4, rtol=0)


def test_what_is_claimed_twice_is_shared() -> None:
    torch.manual_seed(0)
    mixture = torch.randn(2, 4000)
    estimates = torch.stack([mixture, mixture, torch.zeros(2, 4000)])
    every = ("a", "b", "c")
    out = made(estimates, mixture, {name: Target(name, every) for name in every}, True)
    torch.testing.assert_close(out[0], 0.5 * mixture, atol=1e-4, rtol=0)
    torch.testing.assert_close(out.sum(dim=0), mixture, atol=1e-4, rtol=0)


def test_a_target_alone_is_its_estimate_and_the_rest_is_what_it_leaves() -> None:
    torch.manual_seed(0)
    mixture, estimates = torch.randn(2, 500), torch.randn(2, 2, 500)
    out = made(estimates, mixture, {"a": Target("a", ("a",)), "rest": Target(None, ("b",))}, True)
    torch.testing.assert_close(out[0], estimates[0], atol=0, rtol=0)
    torch.testing.assert_close(out[1], mixture - estimates[1], atol=0, rtol=0)


def test_channels_keep_their_places() -> None:
    torch.manual_seed(0)
    mono = torch.randn(2, 4000)
    panned = torch.stack([0.9 * mono, -0.3 * mono], dim=1)  # sources at one place: the mask of both channels is one
    out = made(torch.stack([panned[0], 0.5 * panned.sum(0)]), panned.sum(0), {"a": Target("a", ("a", "b"))}, True)
    torch.testing.assert_close(out[0, 1], out[0, 0] * (-1 / 3), atol=1e-5, rtol=0)
