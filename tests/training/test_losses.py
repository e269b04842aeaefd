"""Losses by name: what they measure, silence, sums, and gradients that are finite everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dplass_cli.errors import InputError
from dplass_cli.evaluation.metrics import sdr, si_sdr
from dplass_cli.training.losses import LOSSES, make_loss


@pytest.fixture
def audio() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Estimates, targets and mixtures, (3, 8000)."""
    generator = torch.Generator().manual_seed(0)
    target, noise, error = (torch.randn(3, 8000, generator=generator) for _ in range(3))
    return 0.8 * target + 0.3 * error, target, target + noise


def test_ratios_are_those_of_the_metrics(audio: tuple[torch.Tensor, ...]) -> None:
    estimate, target, mixture = audio
    for name, metric in (("negative_sdr", sdr), ("negative_si_sdr", si_sdr)):
        true = [metric(t.double().numpy(), e.double().numpy()) for t, e in zip(target, estimate, strict=True)]
        found = make_loss(name)(estimate, target, mixture)
        np.testing.assert_allclose(-found, true, atol=0.06)  # they level off at 30 dB
    scaled = make_loss("negative_si_sdr")(0.1 * estimate, target, mixture)
    torch.testing.assert_close(scaled, make_loss("negative_si_sdr")(estimate, target, mixture), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_better_estimates_cost_less_and_gradients_are_finite(name: str, audio: tuple[torch.Tensor, ...]) -> None:
    estimate, target, mixture = audio
    silence = torch.zeros_like(target)
    for true in (target, silence):
        worst, better, best = (
            make_loss(name)(torch.lerp(mixture, true, share), true, mixture) for share in (0.0, 0.7, 0.99)
        )
        assert (worst > better).all()
        assert (better > best).all()
        for start in (estimate, true, torch.zeros_like(true)):
            trained = start.clone().requires_grad_()
            loss = make_loss(name)(trained, true, mixture)
            assert loss.shape == (3,)
            (gradient,) = torch.autograd.grad(loss.mean(), trained)
            assert torch.isfinite(gradient).all()
    one = make_loss(name)(estimate[:1], target[:1], mixture[:1])
    torch.testing.assert_close(make_loss(name)(estimate, target, mixture)[:1], one, rtol=1e-5, atol=1e-5)


def test_weighted_sums(audio: tuple[torch.Tensor, ...]) -> None:
    total = make_loss({"l1_wav": 10.0, "multi_resolution_stft": 0.5})(*audio)
    torch.testing.assert_close(
        total, 10.0 * make_loss("l1_wav")(*audio) + 0.5 * make_loss("multi_resolution_stft")(*audio)
    )
    with pytest.raises(InputError, match=r"train.loss_type l1: must be one of l1_wav, .*; did you mean 'l1_wav'"):
        make_loss("l1")
    for wrong in ({}, {"l1_wav": 0.0}, {"l1_wav": -1.0, "negative_sdr": 2.0}):
        with pytest.raises(InputError, match="weights above 0"):
            make_loss(wrong)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_channels_cost_what_one_does(name: str, audio: tuple[torch.Tensor, ...]) -> None:
    stereo = [each[:, None].expand(-1, 2, -1) for each in audio]
    torch.testing.assert_close(make_loss(name)(*stereo), make_loss(name)(*audio), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["negative_sdr", "negative_si_sdr"])
def test_ratios_are_those_of_all_channels_together(name: str, audio: tuple[torch.Tensor, ...]) -> None:
    stereo = [torch.stack([each, 0.1 * each.flip(-1)], dim=1) for each in audio]
    joint = [each.flatten(1) for each in stereo]
    torch.testing.assert_close(make_loss(name)(*stereo), make_loss(name)(*joint))
