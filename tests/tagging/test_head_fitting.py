"""Fitting heads on embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dplass_cli.encoders.clips import Clip
from dplass_cli.errors import InputError
from dplass_cli.options.head_options import HeadSettings
from dplass_cli.tagging.head_fitting import EmbeddedClips, fit_and_measure, held_out
from dplass_cli.tagging.labelled_clips import LabelledClip
from dplass_cli.tagging.mel_augmentations import Augmented

SETTINGS = HeadSettings(inverse_regularization=1.0)


def embedded(*labels: str, spread: float = 0.3, seed: int = 0, groups: str = "") -> EmbeddedClips:
    """Clips whose vectors are the sum of one direction per letter of their label, and noise."""
    rng = np.random.default_rng(seed)
    vectors = np.array([[float(letter in own) for letter in "abcd"] for own in labels])
    noisy = (vectors + spread * rng.normal(size=vectors.shape)).astype(np.float32)
    given = [groups[number % len(groups)] if groups else "" for number in range(len(labels))]
    clips = [
        LabelledClip(Clip(Path(f"{number}.wav"), 0.0, 4.0), frozenset(own), str(number), group)
        for number, (own, group) in enumerate(zip(labels, given, strict=True))
    ]
    return EmbeddedClips(clips, noisy)


def test_a_head_of_exclusive_labels_learns_them() -> None:
    training, test = embedded(*"abc" * 20), embedded(*"abc" * 5, seed=1, groups="xy")
    head, figures = fit_and_measure(training, test, "level", SETTINGS, 0, fractions=(5, 100))
    assert (figures.labels, figures.exclusive, head.config.window_seconds) == (("a", "b", "c"), True, 4.0)
    assert figures.test.accuracy > 0.9
    assert figures.test.map > 0.95
    assert {group: each.clips for group, each in figures.groups.items()} == {"x": 8, "y": 7}
    assert figures.fraction_clips == {"5": 3, "100": 60}
    assert figures.fractions["100"] == figures.test
    assert figures.fractions["5"].accuracy <= figures.test.accuracy
    np.testing.assert_allclose(head.scores(test.vectors).sum(axis=1), 1.0, rtol=1e-5)


def test_two_exclusive_labels_are_scored_as_by_one_regression() -> None:
    _, figures = fit_and_measure(embedded(*"ab" * 20), embedded(*"ab" * 5, seed=1), "level", SETTINGS, 0)
    assert figures.test.accuracy == 1.0


def test_clips_with_several_labels_have_a_regression_per_label() -> None:
    training, test = embedded(*["a", "b", "ab", "c"] * 15), embedded(*["a", "b", "ab", "c"] * 4, seed=1)
    head, figures = fit_and_measure(training, test, "level", SETTINGS, 0)
    assert not figures.exclusive
    assert figures.test.map > 0.95
    both = head.scores(np.array([[1.0, 1.0, 0.0, 0.0]], np.float32))[0]
    assert both[0] > 0.5
    assert both[1] > 0.5
    assert both[2] < 0.5


@pytest.mark.parametrize(("share", "low", "high"), [(0.5, 0.499, 0.501), (0.9, 0.6, 0.9), (0.1, 0.1, 0.4)])
def test_a_mixture_is_an_example_of_both_of_its_clips_by_their_shares(share: float, low: float, high: float) -> None:
    def mixtures(clips: Sequence[Clip]) -> Iterable[Augmented]:
        for row in range(0, len(clips), 2):
            yield Augmented(row, row + 1, share, np.array([0.5, 0.5, 0.0, 0.0], np.float32))

    training = embedded(*"ab" * 20, spread=0.0)
    head, _ = fit_and_measure(training, training, "level", SETTINGS, 0, augment=mixtures)
    assert low < head.scores(np.array([[0.5, 0.5, 0.0, 0.0]], np.float32))[0, 0] < high


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(InputError, match=r"^m: its clips have 1 label; a head needs two or more"):
        fit_and_measure(embedded(*"aaa"), embedded("a"), "level", SETTINGS, 0, source="m")
    with pytest.raises(InputError, match=r"^--test: contains the label 'c', of which m has no clips; add some"):
        fit_and_measure(embedded(*"abab"), embedded("c"), "level", SETTINGS, 0, source="m")
    with pytest.raises(InputError, match=r"^m: every clip has the label 'a'; add clips without it"):
        fit_and_measure(embedded("a", "ab", "a", "ab"), embedded("ab"), "level", SETTINGS, 0, source="m")
    with pytest.raises(InputError, match=r"^m: no label has two recordings, so that none can be held out; give --test"):
        held_out(embedded("a", "b"), 0.2, 0, "m")
