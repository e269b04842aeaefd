"""The probability that a sound is present, from the cosine of its sentence with an audio embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dplass_cli.options.parse import from_mapping
from dplass_cli.resources import calibrations

TAG_CALIBRATION = "tagging.json"

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TagCalibration:
    """The logistic regression of tags for one encoder, fitted by ``scripts/measure_tagging.py``.

    Attributes:
        encoder: fingerprint of the encoder.
        similarity: weight of the cosine.
        bias: constant term.
    """

    encoder: str
    similarity: float
    bias: float


def tag_calibration_of(encoder: str) -> TagCalibration | None:
    """The calibration for an encoder, by its fingerprint; None if there is none."""
    for name, fitted in calibrations(TAG_CALIBRATION):
        if fitted["encoder"] == encoder:
            return from_mapping(TagCalibration, fitted, f"{name}/{TAG_CALIBRATION}")
    return None


def tag_scores(similarities: Scores, calibration: TagCalibration | None) -> Scores:
    """Compute scores from 0 to 1 from cosines of any shape: probabilities, or without a calibration the cosines."""
    if calibration is None:
        return similarities.clip(0.0, 1.0)
    scores: Scores = 1.0 / (1.0 + np.exp(-(calibration.similarity * similarities + calibration.bias)))
    return scores
