"""The calibration of tags."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.encoders import load_encoder
from dplass_cli.tagging.calibration import TagCalibration, tag_calibration_of, tag_scores


def test_the_calibration_is_that_of_the_bundled_encoder() -> None:
    """Refit it with scripts/measure_tagging.py --fit when the encoder changes."""
    assert tag_calibration_of(load_encoder().fingerprint) is not None
    assert tag_calibration_of("another") is None


def test_scores_are_probabilities_that_grow_with_the_cosine() -> None:
    scores = tag_scores(np.array([0.0, 0.5, 1.0], np.float32), TagCalibration("", similarity=8.0, bias=-4.0))
    assert scores.tolist() == pytest.approx([1 / (1 + np.exp(4.0)), 0.5, 1 / (1 + np.exp(-4.0))])


def test_without_a_calibration_scores_are_the_cosines_above_0() -> None:
    assert tag_scores(np.array([-0.5, 0.25], np.float32), None).tolist() == [0.0, 0.25]
