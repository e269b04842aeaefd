"""How well a head scores clips: accuracy, F1 and average precision, in all and per label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dplass_cli.tagging.calibration import Scores

Truth = npt.NDArray[np.bool_]
"""(N, L): whether each clip has each label."""

PRESENT = 0.5  # probability from which on a label of several counts as predicted


@dataclass(frozen=True)
class HeadScores:
    """The scores of a head on clips.

    Attributes:
        clips: their number.
        accuracy: share of the clips whose labels are exactly those that are predicted.
        macro_f1: mean over the labels that occur of their F1.
        map: mean over the labels that occur of their average precision.
    """

    clips: int
    accuracy: float
    macro_f1: float
    map: float


@dataclass(frozen=True)
class LabelScores:
    """The scores of one label.

    Attributes:
        clips: number of clips that have it.
        precision: share of the clips that it is predicted for that have it.
        recall: share of the clips that have it that it is predicted for.
        f1: harmonic mean of both.
        average_precision: area under precision over recall; None if no clip has it.
    """

    clips: int
    precision: float
    recall: float
    f1: float
    average_precision: float | None


def predicted(scores: Scores, exclusive: bool) -> Truth:
    """The labels that scores (N, L) predict: the most probable one, or all from :data:`PRESENT` on."""
    if exclusive:
        return np.asarray(np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None])
    return np.asarray(scores >= PRESENT)


def head_scores(truth: Truth, scores: Scores, exclusive: bool) -> HeadScores:
    """Measure scores (N, L) of N clips, at least one."""
    per_label = label_scores(truth, scores, exclusive)
    precisions = [each.average_precision for each in per_label if each.average_precision is not None]
    return HeadScores(
        clips=len(truth),
        accuracy=float((truth == predicted(scores, exclusive)).all(axis=1).mean()),
        macro_f1=float(np.mean([each.f1 for each in per_label if each.clips])),
        map=float(np.mean(precisions)),
    )


def label_scores(truth: Truth, scores: Scores, exclusive: bool) -> list[LabelScores]:
    """Measure the scores (N, L) of each label."""
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        truth.astype(int), predicted(scores, exclusive).astype(int), average=None, zero_division=0
    )
    return [
        LabelScores(
            clips=int(has.sum()),
            precision=float(precision[label]),
            recall=float(recall[label]),
            f1=float(f1[label]),
            average_precision=float(average_precision_score(has, scores[:, label])) if has.any() else None,
        )
        for label, has in enumerate(truth.T)
    ]
