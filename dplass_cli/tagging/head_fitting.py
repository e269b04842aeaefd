"""Fitting heads: logistic regression on frozen audio embeddings, measured on clips that are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dplass_cli.audio.reading import audio_info
from dplass_cli.encoders.cache import Vectors
from dplass_cli.encoders.clips import Clip
from dplass_cli.errors import InputError
from dplass_cli.options.head_options import HeadSettings
from dplass_cli.tagging.head import HeadConfig, TaggingHead
from dplass_cli.tagging.head_scores import HeadScores, LabelScores, Truth, head_scores, label_scores
from dplass_cli.tagging.labelled_clips import LabelledClip, draw_share
from dplass_cli.tagging.mel_augmentations import Augmented

_LONGEST_WINDOW = 10.0  # seconds; encoders split longer clips
_TIMED_CLIPS = 50
_ITERATIONS = 5000

Augment = Callable[[Sequence[Clip]], Iterable[Augmented]]


@dataclass(frozen=True, eq=False)
class EmbeddedClips:
    """Clips with their embeddings.

    Attributes:
        clips: N clips.
        vectors: audio embeddings, float32 (N, D).
    """

    clips: list[LabelledClip]
    vectors: Vectors

    def drawn(self, rows: npt.NDArray[np.bool_]) -> EmbeddedClips:
        """The clips of some rows, bool (N,)."""
        return EmbeddedClips([self.clips[row] for row in np.flatnonzero(rows)], self.vectors[rows])

    def truth(self, labels: Sequence[str]) -> Truth:
        """Which clip has which label, bool (N, L)."""
        return np.array([[label in each.labels for label in labels] for each in self.clips])


@dataclass(frozen=True)
class HeadFigures:
    """What a head reaches on the test clips.

    Attributes:
        labels: the labels, sorted.
        exclusive: every clip has exactly one label.
        training_clips: number of clips that it was fitted on.
        test: its scores on the test clips.
        classes: {label: its scores}.
        groups: {value of the key of ``--by``: scores on the clips with it}; empty if no clip has one.
        fractions: {percent of the training clips: scores of a head that was fitted on them}.
        fraction_clips: {percent: number of these clips}.
    """

    labels: tuple[str, ...]
    exclusive: bool
    training_clips: int
    test: HeadScores
    classes: dict[str, LabelScores]
    groups: dict[str, HeadScores]
    fractions: dict[str, HeadScores]
    fraction_clips: dict[str, int]


def held_out(clips: EmbeddedClips, share: float, seed: int, source: str) -> tuple[EmbeddedClips, EmbeddedClips]:
    """Divide clips into training and test clips; InputError if every label has only one recording."""
    test = draw_share(clips.clips, share, seed, keep_rest=True)
    if not test.any():
        raise InputError(f"{source}: no label has two recordings, so that none can be held out; give --test MANIFEST")
    return clips.drawn(~test), clips.drawn(test)


def fit_and_measure(
    training: EmbeddedClips,
    test: EmbeddedClips,
    encoder: str,
    settings: HeadSettings,
    seed: int,
    fractions: Sequence[float] = (),
    augment: Augment | None = None,
    source: str = "--fit",
) -> tuple[TaggingHead, HeadFigures]:
    """Fit a head on all training clips, and heads on shares of them, and measure them on the test clips.

    Args:
        training: clips to fit on.
        test: clips to measure on.
        encoder: fingerprint of the encoder of the embeddings.
        settings: how heads are fitted.
        seed: of the shares.
        fractions: shares of the training clips, percent.
        augment: embeds augmented copies of the clips that a head is fitted on.
        source: where the training clips come from, for error messages.

    Raises:
        InputError: there are fewer than two labels, every clip has a label, or a test clip has an unknown one.
    """
    labels = tuple(sorted(frozenset[str]().union(*(each.labels for each in training.clips))))
    if len(labels) < 2:
        raise InputError(f"{source}: its clips have {len(labels)} label; a head needs two or more")
    if unknown := sorted(frozenset[str]().union(*(each.labels for each in test.clips)) - set(labels)):
        raise InputError(f"--test: contains the label {unknown[0]!r}, of which {source} has no clips; add some")
    exclusive = all(len(each.labels) == 1 for each in (*training.clips, *test.clips))
    config = HeadConfig(labels, exclusive, encoder, _window_seconds(training.clips))
    truth = test.truth(labels)

    def fitted(part: EmbeddedClips) -> TaggingHead:
        return _fit(config, *_examples(part, labels, augment), settings.inverse_regularization, source)

    head = fitted(training)
    scores = head.scores(test.vectors)
    groups = {group: np.array([each.group == group for each in test.clips]) for group in _groups(test.clips)}
    parts = {f"{percent:g}": training.drawn(draw_share(training.clips, percent / 100, seed)) for percent in fractions}
    return head, HeadFigures(
        labels=labels,
        exclusive=exclusive,
        training_clips=len(training.clips),
        test=head_scores(truth, scores, exclusive),
        classes=dict(zip(labels, label_scores(truth, scores, exclusive), strict=True)),
        groups={group: head_scores(truth[rows], scores[rows], exclusive) for group, rows in groups.items()},
        fractions={
            percent: head_scores(truth, fitted(part).scores(test.vectors), exclusive) for percent, part in parts.items()
        },
        fraction_clips={percent: len(part.clips) for percent, part in parts.items()},
    )


def _groups(clips: Sequence[LabelledClip]) -> list[str]:
    return sorted({each.group for each in clips} - {""})


def _window_seconds(clips: Sequence[LabelledClip]) -> float:
    """The median length of clips, of the first fifty, at most 10 s."""
    lengths = [
        (audio_info(each.clip.wav).seconds if each.clip.end is None else each.clip.end) - each.clip.start
        for each in clips[:_TIMED_CLIPS]
    ]
    return round(min(_LONGEST_WINDOW, float(np.median(lengths))), 3)


def _examples(
    part: EmbeddedClips, labels: Sequence[str], augment: Augment | None
) -> tuple[Vectors, Truth, npt.NDArray[np.float64]]:
    """Embeddings (M, D), labels (M, L) and weights (M,) of the clips and their augmented copies.

    A mixture of two clips is an example of the labels of each, weighted by their shares: its cross-entropy is that with
    mixed labels.
    """
    truth = part.truth(labels)
    vectors, rows, weights = [*part.vectors], [*range(len(truth))], [1.0] * len(truth)
    for copy in augment([each.clip for each in part.clips]) if augment else ():
        for row, weight in ((copy.row, copy.share), (copy.partner, 1.0 - copy.share)):
            if weight > 0.0:
                vectors.append(copy.vector)
                rows.append(row)
                weights.append(weight)
    return np.stack(vectors), truth[rows], np.array(weights)


def _fit(
    config: HeadConfig, vectors: Vectors, truth: Truth, weights: npt.NDArray[np.float64], c: float, source: str
) -> TaggingHead:
    """Fit a softmax, or one logistic regression per label, on standardised embeddings."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64).clip(min=1e-6)
    standard = (vectors - mean) / deviation

    def regression(target: npt.NDArray[Any]) -> tuple[Any, Any]:
        model = LogisticRegression(C=c, max_iter=_ITERATIONS).fit(standard, target, sample_weight=weights)
        return model.coef_, model.intercept_

    if config.exclusive:
        weight, bias = regression(truth.argmax(axis=1))
        if len(weight) == 1:  # of two labels, the logit of the second one
            weight, bias = np.concatenate((0.0 * weight, weight)), np.array([0.0, bias[0]])
    else:
        if (every := truth.all(axis=0)).any():
            label = config.labels[int(every.argmax())]
            raise InputError(f"{source}: every clip has the label {label!r}; add clips without it, or leave it out")
        pairs = [regression(column) for column in truth.T]
        weight, bias = (np.concatenate(each) for each in zip(*pairs, strict=True))
    scaled = weight / deviation
    return TaggingHead(config, scaled.astype(np.float32), (bias - scaled @ mean).astype(np.float32))
