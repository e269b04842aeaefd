"""Rankings and their measures against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.evaluation.retrieval import evaluate_retrieval, rank


def test_measures_equal_those_computed_by_hand() -> None:
    sounds = np.eye(12, dtype=np.float32)
    # The first query ranks sounds 0, 1, 2 …; the second 11, 10, 9 …
    queries = np.stack([np.arange(12, 0, -1), np.arange(1, 13)]).astype(np.float32)
    found = evaluate_retrieval(queries, [{0, 2}, {5}], sounds)
    assert found.recall == {1: 0.5, 5: 0.5, 10: 1.0}  # sound 5 is the seventh of the second
    assert found.map10 == pytest.approx(((1.0 + 2 / 3) / 2 + 1 / 7) / 2)
    assert found.median_rank == 4.0
    assert (found.queries, found.sounds) == (2, 12)


def test_precision_is_one_when_all_ranked_sounds_are_relevant() -> None:
    queries, sounds = np.ones((1, 2), dtype=np.float32), np.ones((30, 2), dtype=np.float32)
    found = evaluate_retrieval(queries, [set(range(30))], sounds)
    assert found.map10 == 1.0


def test_equal_sounds_are_ranked_in_their_order() -> None:
    sounds = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert rank(np.array([0.0, 1.0], dtype=np.float32), sounds, 2) == [(0, 1.0), (2, 1.0)]
