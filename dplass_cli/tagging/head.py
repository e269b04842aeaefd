"""A head: a linear layer that scores labels from audio embeddings, in one safetensors file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import from_numpy

from dplass_cli.encoders import QueryEncoder, space_of
from dplass_cli.errors import InputError
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.resources import shown_hash
from dplass_cli.tagging.calibration import Scores
from dplass_cli.weights.checkpoint_files import (
    described_config,
    read_tensors,
    require_finite,
    require_layout,
    write_safetensors,
)

_FORMAT = "dplass-tagging-head-1"


@dataclass(frozen=True)
class HeadConfig:
    """What a head's tensors mean.

    Attributes:
        labels: in the order of its rows.
        exclusive: a recording has exactly one of the labels, so that scores sum to 1; otherwise any number of them.
        encoder: fingerprint of the encoder whose embeddings it was fitted on.
        window_seconds: median length of the clips that it was fitted on, at most 10 s.
    """

    labels: tuple[str, ...]
    exclusive: bool
    encoder: str
    window_seconds: float


class TaggingHead:
    """Scores labels; see :class:`~dplass_cli.tagging.tagger.Labels`.

    Args:
        config: what the tensors mean.
        weight: float32 (L, D).
        bias: float32 (L,).
    """

    calibrated: ClassVar[bool] = True

    def __init__(self, config: HeadConfig, weight: Scores, bias: Scores) -> None:
        self.config, self.weight, self.bias = config, weight, bias

    @property
    def names(self) -> tuple[str, ...]:
        return self.config.labels

    def scores(self, embeddings: Scores) -> Scores:
        """Score audio embeddings, float32 (N, D): probabilities, float32 (N, L)."""
        logits = from_numpy(embeddings @ self.weight.T + self.bias)
        probabilities: Scores = (logits.softmax(dim=1) if self.config.exclusive else logits.sigmoid()).numpy()
        return probabilities

    def save(self, path: Path) -> None:
        """Write the head, atomically; InputError if the folder cannot be written."""
        metadata = {"format": _FORMAT, "config": to_mapping(self.config)}
        write_safetensors(path, {"weight": from_numpy(self.weight), "bias": from_numpy(self.bias)}, metadata)


def read_head(path: Path, encoder: QueryEncoder) -> TaggingHead:
    """Read a head of an encoder.

    Raises:
        InputError: the file is missing, damaged or not a head, or the head belongs to another encoder.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != _FORMAT:
        raise InputError(f"{path}: not a tagging head; give the head.safetensors that 'dplass tag --fit' wrote")
    config = from_mapping(HeadConfig, described_config(metadata, path), str(path))
    if config.encoder != space_of(encoder):
        raise InputError(
            f"{path}: was fitted on another encoder ({shown_hash(config.encoder)}; not {encoder.fingerprint[:12]}…);"
            " name that one with --encoder, or fit it again"
        )
    labels = len(config.labels)
    require_layout({"weight": torch.empty(labels, encoder.size), "bias": torch.empty(labels)}, tensors, str(path))
    require_finite(tensors, str(path))
    weight, bias = (tensors[name].float().numpy() for name in ("weight", "bias"))
    return TaggingHead(config, weight, bias)
