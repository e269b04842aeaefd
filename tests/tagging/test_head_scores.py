"""The scores of heads."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.tagging.head_scores import HeadScores, head_scores, label_scores

TRUTH = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=bool)
SCORES = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]], np.float32)


def test_the_most_probable_of_exclusive_labels_is_predicted() -> None:
    scores = head_scores(TRUTH, SCORES, exclusive=True)
    # The first label is right for 2 of the 3 clips that it is predicted for; the third label does not occur.
    assert scores == HeadScores(4, 0.75, pytest.approx((0.8 + 2 / 3) / 2), pytest.approx((5 / 6 + (1 + 2 / 3) / 2) / 2))


def test_any_number_of_other_labels_is_predicted() -> None:
    truth = np.array([[1, 1], [0, 0], [1, 0]], dtype=bool)
    scores = np.array([[0.9, 0.6], [0.2, 0.1], [0.7, 0.6]], np.float32)
    assert head_scores(truth, scores, exclusive=False).accuracy == pytest.approx(2 / 3)
    first, second = label_scores(truth, scores, exclusive=False)
    assert (first.clips, first.precision, first.recall, first.f1, first.average_precision) == (2, 1.0, 1.0, 1.0, 1.0)
    assert (second.clips, second.precision, second.recall) == (1, 0.5, 1.0)


def test_a_label_that_no_clip_has_has_no_average_precision() -> None:
    assert [each.average_precision is None for each in label_scores(TRUTH, SCORES, True)] == [False, False, True]
