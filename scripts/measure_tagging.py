"""Measure ``tag`` and ``separate --query auto`` with the bundled models, and fit the probability of a tag.

    python scripts/measure_tagging.py DATA… [--fit ENCODER] [--recordings 120] [--mixtures 50]

DATA is a folder with clips.csv and audio/ (see docs/tiny.md). Recordings of one, two and three clips of different
classes, 5 s, each within 6 dB of the first, are drawn with a fixed seed. Prints the tables of docs/tagging.md, for fold
4: mean average precision, how well probabilities agree with what is there, precision and recall by threshold; and, for
mixtures of two with equal energies, how often --query auto proposes both, and the SDRi. Sounds that are
alike one of a recording's (a male voice and speech, say) are neither right nor wrong, and are left out.

--fit only fits the probability, and writes it next to the bundled models; run it again whenever the encoder changes. An
encoder recognises the recordings that it was trained on, so the probability is fitted with another one of the same text
tower, on a fold that its audio tower was not trained on (``train_tiny.py WORK --folds 1,2 --stage audio``).
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from torch import from_numpy

from dplass_cli import Separator, load_encoder
from dplass_cli.audio.reading import Audio, fit_length, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import QueryEncoder
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.tag_options import TAG_THRESHOLD
from dplass_cli.storage import write_json
from dplass_cli.tagging.calibration import TAG_CALIBRATION, TagCalibration, tag_calibration_of, tag_scores
from dplass_cli.tagging.labels import SentenceLabels, named_labels
from dplass_cli.tagging.proposals import Proposer
from dplass_cli.tagging.tagger import Tagger
from tiny_models.kinds import read_kinds

RATE, SECONDS = 32000, 5
ASSETS = Path(__file__).parents[1] / "dplass_cli" / "assets" / "tiny"
BINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
KINDS = read_kinds()[0]
KIND_OF = {name: kind.name for kind in KINDS for name in kind.categories}
ALIKE = {kind.name: kind.alike_sets for kind in KINDS}

Values = npt.NDArray[np.float64]


class Clip(NamedTuple):
    """One source: its kind, and a function that gives its samples, float32 (T,)."""

    kind: str
    audio: Callable[[], Audio]


class Measured(NamedTuple):
    """A kind of sound in a recording: number of the recording's sources, the kind, whether it is there, its cosine."""

    sources: int
    kind: str
    present: bool
    cosine: float


class Cosines:
    """Labels whose scores are cosines, moved to 0 to 1 so that a tagger lists all of them."""

    calibrated = False

    def __init__(self, labels: SentenceLabels) -> None:
        self.names, self._vectors = labels.names, labels.vectors

    def scores(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        scores: npt.NDArray[np.float32] = (1.0 + embeddings @ self._vectors.T) / 2.0
        return scores


def read_clips(data: Path, fold: str) -> list[Clip]:
    with open(data / "clips.csv", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["fold"] == fold]
    return [Clip(KIND_OF[row["category"]], partial(read_clip, data / "audio" / row["filename"])) for row in rows]


def read_clip(path: Path) -> Audio:
    return fit_length(read_mono(path, RATE), SECONDS * RATE)


def alike(one: str, other: str) -> bool:
    """Whether two kinds sound so alike that they are never mixed; a kind is alike itself."""
    return not ALIKE[one].isdisjoint(ALIKE[other])


def draw(rng: random.Random, clips: Sequence[Clip], count: int) -> list[Clip]:
    """Clips of kinds that do not sound alike, kinds about equally often."""
    by_kind: dict[str, list[Clip]] = {}
    for clip in clips:
        by_kind.setdefault(clip.kind, []).append(clip)
    while True:
        drawn = [rng.choice(by_kind[kind]) for kind in rng.sample(sorted(by_kind), count)]
        if not any(alike(one.kind, other.kind) for one, other in combinations(drawn, 2)):
            return drawn


def mix(clips: Sequence[Clip], gains_db: Sequence[float]) -> npt.NDArray[np.float32]:
    """The sources at gains relative to equal energies, float32 (N, T); their sum is the mixture."""
    stacked = np.stack([clip.audio() for clip in clips])
    rms = np.sqrt(np.square(stacked).mean(axis=1, keepdims=True)).clip(min=1e-6)
    sources: Values = 0.1 * stacked / rms * 10.0 ** (np.array(gains_db)[:, None] / 20.0)
    return sources.astype(np.float32)


def recordings(clips: Sequence[Clip], number: int, seed: int) -> Iterator[tuple[Audio, set[str]]]:
    """Recordings of one, two and three sources in turn, with their kinds."""
    rng = random.Random(seed)
    for place in range(number):
        drawn = draw(rng, clips, 1 + place % 3)
        sources = mix(drawn, [0.0] + [rng.uniform(-6.0, 6.0) for _ in drawn[1:]])
        yield sources.sum(axis=0), {clip.kind for clip in drawn}


def measure(encoder: QueryEncoder, given: Iterator[tuple[Audio, set[str]]], path: Path) -> list[Measured]:
    """The cosines of all kinds with recordings."""
    labels = Cosines(SentenceLabels(named_labels(None, encoder), encoder))
    tagger = Tagger(encoder, labels, threshold=0.0)
    measured = []
    for audio, kinds in given:
        write_audio(path, audio[None], RATE, "FLOAT")
        cosines = {tag.sound: 2.0 * tag.score - 1.0 for tag in tagger(path).sounds}
        related = {kind for kind in labels.names if any(alike(kind, own) for own in kinds)}
        for kind in labels.names:
            if kind in kinds or kind not in related:
                measured.append(Measured(len(kinds), kind, kind in kinds, cosines.get(kind, 0.0)))
    return measured


def fit(measured: Sequence[Measured], fingerprint: str) -> TagCalibration:
    cosines = np.array([[each.cosine] for each in measured])
    model = LogisticRegression(C=100.0, max_iter=1000).fit(cosines, [each.present for each in measured])
    return TagCalibration(fingerprint, round(float(model.coef_[0, 0]), 4), round(float(model.intercept_[0]), 4))


def print_scores(measured: Sequence[Measured], calibration: TagCalibration | None) -> None:
    print("\n| sources | mAP | AUC | Brier score | always absent |\n|---|---:|---:|---:|---:|")
    for title, counts in (("one", {1}), ("two", {2}), ("three", {3}), ("all", {1, 2, 3})):
        part = [each for each in measured if each.sources in counts]
        truth, scores = truths(part), probabilities(part, calibration)
        share = truth.mean()
        cells = (mean_average_precision(part), roc_auc_score(truth, scores), brier_score_loss(truth, scores))
        print(f"| {title} | {' | '.join(f'{cell:.3f}' for cell in cells)} | {share * (1 - share):.3f} |")
    truth, scores = truths(measured), probabilities(measured, calibration)
    print("\n| probability | kinds | mean probability | share that is there |\n|---|---:|---:|---:|")
    for low, high in pairwise(BINS):
        inside = (scores >= low) & (scores < high)
        if inside.any():
            print(
                f"| {low:g} to {high:g} | {inside.sum()} | {scores[inside].mean():.2f} | {truth[inside].mean():.2f} |"
            )
    print_thresholds(measured, calibration)


def print_thresholds(measured: Sequence[Measured], calibration: TagCalibration | None) -> None:
    truth, scores = truths(measured), probabilities(measured, calibration)
    print("\n| threshold | precision | recall | F1 |\n|---|---:|---:|---:|")
    for threshold in THRESHOLDS:
        listed = scores >= threshold
        precision, recall = truth[listed].mean() if listed.any() else 0.0, listed[truth == 1.0].mean()
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        print(f"| {threshold:g} | {precision:.2f} | {recall:.2f} | {f1:.2f} |")


def truths(measured: Sequence[Measured]) -> Values:
    return np.array([float(each.present) for each in measured])


def probabilities(measured: Sequence[Measured], calibration: TagCalibration | None) -> Values:
    return tag_scores(np.array([each.cosine for each in measured], np.float32), calibration).astype(np.float64)


def mean_average_precision(measured: Sequence[Measured]) -> float:
    """Mean over the kinds that are there in some recording."""
    by_kind: dict[str, list[Measured]] = {}
    for each in measured:
        by_kind.setdefault(each.kind, []).append(each)
    values = [
        average_precision_score(truths(part), [each.cosine for each in part])
        for part in by_kind.values()
        if any(each.present for each in part)
    ]
    return float(np.mean(values))


def print_auto(clips: Sequence[Clip], mixtures: int, path: Path) -> None:
    """Mixtures of two with equal energies: the proposals, and the SDRi of proposed and of named sounds."""
    separator = Separator.from_pretrained()
    propose = Proposer(separator.encoder, TAG_THRESHOLD)
    rng = random.Random(4)
    found_counts: list[int] = []  # of the two sources
    proposals: list[int] = []
    auto: list[float] = []  # SDRi of the two sources of each mixture, dB
    named: list[float] = []
    for _ in range(mixtures):
        drawn = draw(rng, clips, 2)
        sources = mix(drawn, [0.0, 0.0])
        mixture = sources.sum(axis=0)
        write_audio(path, mixture[None], RATE, "FLOAT")
        proposed = [tag.sound for tag in propose(path)]
        matches = [next((sound for sound in proposed if alike(sound, clip.kind)), None) for clip in drawn]
        targets = separator(mixture[None], RATE, proposed, consistent=True) if proposed else {}
        by_name = separator(mixture[None], RATE, [clip.kind for clip in drawn], consistent=True)
        found_counts.append(sum(match is not None for match in matches))
        proposals.append(len(proposed))
        # A source that was not proposed is not separated: no improvement.
        auto += [sdri(s, targets[m][0], mixture) if m else 0.0 for s, m in zip(sources, matches, strict=True)]
        named += [sdri(s, by_name[clip.kind][0], mixture) for s, clip in zip(sources, drawn, strict=True)]
    found, both = np.array(found_counts), np.array(found_counts) == 2
    print(f"\n{mixtures} mixtures of two, threshold {TAG_THRESHOLD:g}: {np.mean(proposals):.1f} proposals on average;")
    print(f"both sources are proposed in {both.sum()}, one in {(found == 1).sum()}, none in {(found == 0).sum()}.")
    print("\n| SDRi (dB) | mixtures | --query auto | by name, --consistent |\n|---|---:|---:|---:|")
    for title, rows in (("all", np.ones(mixtures, bool)), ("both proposed", both)):
        values = (np.array(each).reshape(-1, 2)[rows].mean() for each in (auto, named))
        print(f"| {title} | {rows.sum()} | {' | '.join(f'{value:.2f}' for value in values)} |")


def sdri(source: Audio, estimate: Audio, mixture: Audio) -> float:
    reference = from_numpy(source)[None]
    gain = (
        batch_scores(reference, from_numpy(estimate)[None])[0] - batch_scores(reference, from_numpy(mixture)[None])[0]
    )
    return float(gain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--fit", type=Path, metavar="ENCODER", help="encoder that was not trained on --fit-fold")
    parser.add_argument("--fit-fold", default="3")
    parser.add_argument("--recordings", type=int, default=120)
    parser.add_argument("--mixtures", type=int, default=50)
    arguments = parser.parse_args()
    encoder = Separator.from_pretrained().encoder
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "recording.wav"
        if arguments.fit:
            clips = [clip for data in arguments.data for clip in read_clips(data, arguments.fit_fold)]
            fitted = measure(load_encoder(arguments.fit), recordings(clips, arguments.recordings, 1), path)
            calibration = fit(fitted, encoder.fingerprint)
            write_json(ASSETS / TAG_CALIBRATION, to_mapping(calibration))
            print(f"fitted on {len(fitted)} kinds in recordings: {calibration}")
            print_scores(fitted, calibration)
            return
        clips = [clip for data in arguments.data for clip in read_clips(data, "4")]
        measured = measure(encoder, recordings(clips, arguments.recordings, 3), path)
        print_scores(measured, tag_calibration_of(encoder.fingerprint))
        if arguments.mixtures:
            print_auto(clips, arguments.mixtures, path)


if __name__ == "__main__":
    main()
