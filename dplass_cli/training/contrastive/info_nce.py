"""InfoNCE, the loss of contrastive training, for clips with any number of captions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(
    audio: Tensor,
    text: Tensor,
    positive: Tensor,
    scale: Tensor,
    hard_negatives: float = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The mean over both directions of the cross entropy between similarities and the pairs that belong together.

    With one caption per clip, and no caption shared, it is the loss of CLIP (Radford et al. 2021, arXiv:2103.00020).
    Several positives share the target equally (Khosla et al. 2020, arXiv:2004.11362), so that captions of one clip, and
    equal captions of different clips, do not repel each other.

    Args:
        audio: float32 (B, D), unit norm.
        text: float32 (M, D), unit norm.
        positive: bool (B, M), whether a caption describes a clip; at least one in every row and column.
        scale: factor of the cosines, the inverse of the temperature.
        hard_negatives: exponent β of the weights of negatives, softmax(β·cosine) times their number (Robinson et al.
            2021, arXiv:2010.04592); with 0 all count alike.
        label_smoothing: share of the target that is spread over all columns.

    Returns:
        The loss, a scalar.
    """
    cosines = audio @ text.T
    directions = ((cosines, positive), (cosines.T, positive.T))
    losses = [cross_entropy(similar, own, scale, hard_negatives, label_smoothing) for similar, own in directions]
    return torch.stack(losses).mean()


def cross_entropy(
    cosines: Tensor, positive: Tensor, scale: Tensor, hard_negatives: float = 0.0, label_smoothing: float = 0.0
) -> Tensor:
    """One direction of :func:`info_nce`: the mean over the rows of cosines, float32 (B, M)."""
    logits = scale * cosines
    if hard_negatives:
        logits = logits + _log_weights(cosines.detach(), positive, hard_negatives)
    return F.cross_entropy(logits, positive / positive.sum(dim=1, keepdim=True), label_smoothing=label_smoothing)


def _log_weights(cosines: Tensor, positive: Tensor, exponent: float) -> Tensor:
    """The logarithms of the weights of negatives, whose mean is 1 in each row; 0 for positives."""
    similar = (exponent * cosines).masked_fill(positive, -torch.inf)
    count = (~positive).sum(dim=1, keepdim=True).clamp(min=1)
    weights = similar - similar.logsumexp(dim=1, keepdim=True) + count.log()
    return weights.masked_fill(positive, 0.0)
