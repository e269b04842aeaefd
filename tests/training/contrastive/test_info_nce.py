"""InfoNCE: CLIP's loss for one caption per clip, several and shared captions, hard negatives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.training.contrastive.info_nce import info_nce

SCALE = torch.tensor(5.0)


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor]:
    """Four clips and four captions, float32 (4, 6), unit norm."""
    generator = torch.Generator().manual_seed(3)
    audio, text = torch.randn(2, 4, 6, generator=generator)
    return F.normalize(audio, dim=1), F.normalize(text, dim=1)


def test_one_caption_per_clip_is_the_loss_of_clip(pairs: tuple[Tensor, Tensor]) -> None:
    audio, text = pairs
    logits = SCALE * audio @ text.T
    numbers = torch.arange(4)
    expected = (F.cross_entropy(logits, numbers) + F.cross_entropy(logits.T, numbers)) / 2
    torch.testing.assert_close(info_nce(audio, text, torch.eye(4, dtype=torch.bool), SCALE), expected)


def test_a_caption_of_two_clips_does_not_repel_either() -> None:
    audio = F.normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1]]), dim=1)
    text = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = info_nce(audio, text, torch.ones(2, 1, dtype=torch.bool), SCALE)
    assert loss.item() == pytest.approx(math.log(2) / 2)  # from the caption, two equally near clips: one bit
    (gradient,) = torch.autograd.grad(loss, text)
    assert gradient.abs().max() < 1e-6


def test_captions_of_one_clip_share_its_target(pairs: tuple[Tensor, Tensor]) -> None:
    audio, text = pairs
    positive = torch.tensor([[True, True, False, False], [False, False, True, True]])
    logs = (SCALE * audio[:2] @ text.T).log_softmax(dim=1)
    columns = (SCALE * text @ audio[:2].T).log_softmax(dim=1)
    forward = -(logs[0, :2].sum() + logs[1, 2:].sum()) / 4
    backward = -(columns[:2, 0].sum() + columns[2:, 1].sum()) / 4
    torch.testing.assert_close(info_nce(audio[:2], text, positive, SCALE), (forward + backward) / 2)


def test_hard_negatives_count_more(pairs: tuple[Tensor, Tensor]) -> None:
    plain, hard = (info_nce(*pairs, torch.eye(4, dtype=torch.bool), SCALE, exponent) for exponent in (0.0, 4.0))
    assert hard > plain + 0.1


def test_equally_hard_negatives_count_as_without_weights() -> None:
    separate = torch.eye(4)
    plain, hard = (info_nce(separate, separate, separate.bool(), SCALE, exponent) for exponent in (0.0, 4.0))
    torch.testing.assert_close(hard, plain)


def test_a_clip_without_negatives_has_a_finite_loss(pairs: tuple[Tensor, Tensor]) -> None:
    audio, text = pairs
    loss = info_nce(audio[:1], text[:1], torch.ones(1, 1, dtype=torch.bool), SCALE, 1.0)
    assert loss.item() == 0.0
