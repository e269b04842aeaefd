"""Masks of targets that share a recording."""

from __future__ import annotations

import pytest
import torch

from dplass_cli.audio.stft import STFT
from dplass_cli.separation.masks import make_targets
from dplass_cli.separation.queries import Plan, Source, Target

TRANSFORM = STFT(256, 64)
A, B, C = Source("a"), Source("b"), Source("c")


def make(estimates: torch.Tensor, mixture: torch.Tensor, targets: dict[str, Target], shared_mask: bool) -> torch.Tensor:
    conditions = {source: torch.zeros(4) for source in (A, B, C)[: len(estimates)]}
    return make_targets(estimates, mixture, Plan(conditions, targets), TRANSFORM, shared_mask)


@pytest.mark.parametrize("shared_mask", [True, False])
@pytest.mark.parametrize("length", [1, 100, 3000])
def test_targets_never_exceed_the_mixture(length: int, shared_mask: bool) -> None:
    torch.manual_seed(0)
    mixture, estimates = torch.randn(2, length), torch.randn(3, 2, length)
    every = (A, B, C)
    out = make(estimates, mixture, {source.name: Target(source, every) for source in every}, shared_mask)
    assert out.shape == estimates.shape
    assert torch.isfinite(out).all()
    if length > 256:
        # Each target is a mask times the mixture's spectrum; the masks add up to at most one.
        spectra, whole = TRANSFORM(out.flatten(0, 1)).abs(), TRANSFORM(mixture).abs()
        inner = slice(4, -4)
        assert (spectra.unflatten(0, (3, 2)).sum(0)[:, inner].mean() / whole[:, inner].mean()) < 1.01


def test_estimates_that_fit_into_the_mixture_keep_their_magnitude() -> None:
    torch.manual_seed(0)
    mixture = torch.randn(1, 4000)
    estimates = torch.stack([0.5 * mixture, 0.3 * mixture])
    out = make(estimates, mixture, {source.name: Target(source, (A, B)) for source in (A, B)}, True)
    torch.testing.assert_close(out, estimates, atol=1e-4, rtol=0)


def test_a_sound_claimed_twice_is_shared() -> None:
    torch.manual_seed(0)
    mixture = torch.randn(2, 4000)
    estimates = torch.stack([mixture, mixture, torch.zeros(2, 4000)])
    every = (A, B, C)
    out = make(estimates, mixture, {source.name: Target(source, every) for source in every}, True)
    torch.testing.assert_close(out[0], 0.5 * mixture, atol=1e-4, rtol=0)
    torch.testing.assert_close(out.sum(dim=0), mixture, atol=1e-4, rtol=0)


def test_a_target_without_rivals_is_its_estimate_and_a_removal_subtracts_it() -> None:
    torch.manual_seed(0)
    mixture, estimates = torch.randn(2, 500), torch.randn(2, 2, 500)
    out = make(estimates, mixture, {"a": Target(A, (A,)), "without b": Target(None, (B,))}, True)
    torch.testing.assert_close(out[0], estimates[0], atol=0, rtol=0)
    torch.testing.assert_close(out[1], mixture - estimates[1], atol=0, rtol=0)


def test_a_shared_mask_preserves_the_ratio_of_the_channels() -> None:
    torch.manual_seed(0)
    mono = torch.randn(2, 4000)
    panned = torch.stack([0.9 * mono, -0.3 * mono], dim=1)  # sources at one place: the mask of both channels is one
    out = make(torch.stack([panned[0], 0.5 * panned.sum(0)]), panned.sum(0), {"a": Target(A, (A, B))}, True)
    torch.testing.assert_close(out[0, 1], out[0, 0] * (-1 / 3), atol=1e-5, rtol=0)


def test_a_refined_target_receives_a_fifth_of_the_unclaimed_sound() -> None:
    torch.manual_seed(0)
    mixture, estimates = torch.randn(1, 500), torch.randn(2, 1, 500)
    out = make(estimates, mixture, {"a": Target(A, (A,), residual=B)}, True)
    torch.testing.assert_close(out[0], estimates[0] + 0.2 * (mixture - estimates[0] - estimates[1]), atol=1e-6, rtol=0)
