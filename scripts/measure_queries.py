"""Measure the kinds of queries and outputs: consistent targets, refinement, negatives, examples, spans, presence.

    python scripts/measure_queries.py DATA… [--folds 4] [--mixtures 60] [--section NAME…] [--fit ENCODER]

DATA is a folder with clips.csv and audio/ (see docs/tiny.md). Mixtures of two and three clips that do not sound alike,
5 s, all of the same energy, are drawn with a fixed seed; queries are the first captions of the classes. Prints the
tables of docs/separate.md: mean SDRi in dB, and the mean difference to the first method with its standard error.

--fit fits the presence score on the folds, and writes it to the files of the bundled models; run it again whenever the
models change. An encoder recognises the recordings that it was trained on, so the score is fitted with another one of
the same text tower, whose audio tower was not trained on these folds (see measure_tagging.py).
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.reading import fit_length, read_mono
from dplass_cli.data.mixer import declip
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.options.parse import to_mapping
from dplass_cli.separation.core import Request, SeparationCore
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.masks import make_targets
from dplass_cli.separation.presence import CALIBRATION, Calibration, Presence, PresenceMeter, calibration_of, presence
from dplass_cli.separation.queries import Query, condition, named, plan
from dplass_cli.separation.refinement import ResidualEmbedding, resplit
from dplass_cli.storage import write_json
from tiny_models.kinds import alike_by_name, read_kinds

RATE, SECONDS = 32000, 5
ACTIVE_DB, GAP, LONGEST_SPANS = -25.0, 4, 2.5  # relative to the loudest 0.1 s; steps of 0.1 s; seconds
ASSETS = Path(__file__).parents[1] / "dplass_cli" / "assets" / "tiny"
MODELS = load_models()
NETWORK, ENCODER, CORE = MODELS.network, MODELS.encoder, SeparationCore(MODELS.bank)
ALIKE = alike_by_name(read_kinds()[0])

Values = npt.NDArray[np.float64]
Scores = dict[str, dict[int, list[float]]]
"""{method: {number of sources: SDRi of each mixture, dB}}."""


@dataclass(frozen=True)
class Clip:
    """One source.

    Attributes:
        wav: audio file.
        category: its class.
        caption: the first caption of the class.
        alike: the sets of alike kinds that it belongs to.
    """

    wav: Path
    category: str
    caption: str
    alike: frozenset[str]

    def audio(self) -> Tensor:
        """float32 (T,)."""
        return torch.from_numpy(fit_length(read_mono(self.wav, RATE), SECONDS * RATE).copy())


def read_clips(data: Path, folds: Sequence[str]) -> list[Clip]:
    with open(data / "clips.csv", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["fold"] in folds]
    return [
        Clip(data / "audio" / r["filename"], r["category"], r["captions"].split("|")[0], ALIKE[r["category"]])
        for r in rows
    ]


def draw(rng: random.Random, clips: Sequence[Clip], count: int) -> list[Clip]:
    """Clips that do not sound alike, classes about equally often."""
    by_class: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_class[clip.category].append(clip)
    while True:
        drawn = [rng.choice(by_class[name]) for name in rng.sample(sorted(by_class), count)]
        if apart([clip.alike for clip in drawn]):
            return drawn


def apart(alike: Sequence[frozenset[str]]) -> bool:
    """Whether no two of some sounds are alike."""
    return all(not one & other for one, other in combinations(alike, 2))


def mix(sources: Sequence[Tensor], gains_db: Sequence[float]) -> tuple[Tensor, Tensor]:
    """(mixture (T,), sources (N, T)), with gains relative to the first source's energy, declipped."""
    stacked = torch.stack(list(sources))
    rms = stacked.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
    stacked = stacked * rms[0] / rms * 10.0 ** (torch.tensor(gains_db)[:, None] / 20.0)
    return declip(stacked.sum(dim=0), stacked)


def separate(mixture: Tensor, conditions: Tensor) -> Tensor:
    """The base's outputs for a mixture (T,): float32 (Q, T)."""
    return CORE.separate(CORE.prepare(mixture[None, None]), [Request(row, None) for row in conditions])[:, 0]


def by_default(mixture: Tensor, conditions: Tensor, encoder: QueryEncoder = ENCODER) -> Tensor:
    """The base's outputs, refined by their residuals, which is the default of the bundled models: float32 (Q, T)."""
    targets = separate(mixture, conditions)
    for row, (target, query) in enumerate(zip(targets.clone(), conditions, strict=True)):
        embedding = ResidualEmbedding(query, encoder, RATE)
        embedding.add(mixture[None], target[None])
        if (condition := embedding.condition()) is not None:
            targets[row] = resplit(target, separate(mixture, condition[None])[0], mixture)
    return targets


def shared(estimates: Tensor, mixture: Tensor, queries: Mapping[str, Query], consistent: bool) -> Tensor:
    """Targets as the package makes them: float32 (Q, T)."""
    planned = plan(queries, ENCODER, lambda start, end: torch.zeros(0), consistent)
    return make_targets(estimates[:, None], mixture[None], planned, NETWORK.stft, True)[:, 0]


def sdri(reference: Tensor, estimate: Tensor, mixture: Tensor) -> float:
    """Mean over references (N, T) or of one (T,), dB."""
    reference, estimate = reference.view(-1, reference.shape[-1]), estimate.reshape(-1, reference.shape[-1])
    gain = batch_scores(reference, estimate)[0] - batch_scores(reference, mixture.expand_as(reference))[0]
    return float(gain.mean())


def measure(clips: Sequence[Clip], mixtures: int, section: Callable[..., None], seed: int) -> Scores:
    """Collect the scores that ``section`` adds for each mixture of two and of three sources."""
    scores: Scores = defaultdict(lambda: defaultdict(list))
    rng = random.Random(seed)
    for _ in range(mixtures):
        for count in (2, 3):
            section(rng, clips, count, lambda method, value, count=count: scores[method][count].append(value))
    return scores


def consistency(rng: random.Random, clips: Sequence[Clip], count: int, add_score: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    queries = named([clip.caption for clip in drawn])
    estimates = separate(mixture, ENCODER.embed_text(list(queries)))
    add_score("independent targets", sdri(sources, estimates, mixture))
    add_score("--consistent", sdri(sources, shared(estimates, mixture, queries, True), mixture))


def refinement(rng: random.Random, clips: Sequence[Clip], count: int, add_score: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    conditions = ENCODER.embed_text([clip.caption for clip in drawn])
    add_score("independent targets", sdri(sources, separate(mixture, conditions), mixture))
    add_score("--refine residual", sdri(sources, by_default(mixture, conditions), mixture))


def negatives(rng: random.Random, clips: Sequence[Clip], count: int, add_score: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    wanted, unwanted = ENCODER.embed_text([clip.caption for clip in drawn[:2]])
    turned = {weight: F.normalize(wanted - weight * unwanted, dim=-1) for weight in (0.1, 0.3, 0.5, 1.0)}
    target, noise, *others = separate(mixture, torch.stack([wanted, unwanted, *turned.values()]))
    add_score("without --not", sdri(sources[0], target, mixture))
    for weight, estimate in zip(turned, others, strict=True):
        add_score(f"embedding minus {weight} of the negative's", sdri(sources[0], estimate, mixture))
    negative_in_target, from_remaining = separate(target, unwanted[None])[0], separate(mixture - noise, wanted[None])[0]
    for weight in (0.5, 1.0):
        add_score(
            f"target minus {weight} of the negative in it",
            sdri(sources[0], target - weight * negative_in_target, mixture),
        )
    half = separate(mixture - 0.5 * noise, wanted[None])[0]
    add_score("separated from the input minus 0.5 of the negative", sdri(sources[0], half, mixture))
    add_score("separated from the input minus the negative", sdri(sources[0], from_remaining, mixture))
    queries = named([Query(drawn[0].caption, without=(drawn[1].caption,))])
    add_score(
        "--not: competing masks",
        sdri(sources[0], shared(torch.stack([target, noise]), mixture, queries, False), mixture),
    )
    add_score("--not alone (target: everything else)", sdri(mixture - sources[1], mixture - noise, mixture))


def examples(rng: random.Random, clips: Sequence[Clip], count: int, add_score: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    others = [clip for clip in clips if clip.category == drawn[0].category and clip != drawn[0]]
    if len(others) < 3:
        return
    sentence = ENCODER.embed_text([drawn[0].caption])[0]
    similar = ENCODER.embed_audio([clip.audio() for clip in rng.sample(others, 3)], RATE)
    conditions = {
        "the sentence": sentence,
        "--like, one example": similar[0],
        "--like, a folder of three": F.normalize(similar.mean(dim=0), dim=-1),
        "sentence and example, half each": F.normalize(sentence + similar[0], dim=-1),
    }
    for method, estimate in zip(conditions, separate(mixture, torch.stack(list(conditions.values()))), strict=True):
        add_score(method, sdri(sources[0], estimate, mixture))


def spans(rng: random.Random, clips: Sequence[Clip], count: int, add_score: Callable[[str, float], None]) -> None:
    for _ in range(200):
        drawn = draw(rng, clips, count)
        times = active(drawn[0].audio())
        if 0 < sum(end - start for start, end in times) <= LONGEST_SPANS:
            break
    else:
        return
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)

    def excerpt(start: float, end: float) -> Tensor:
        return mixture[round(start * RATE) : round(end * RATE)]

    caption = drawn[0].caption
    queries = {
        "the sentence": Query(caption),
        "the sentence and --spans": Query(caption, spans=times),
        "a generic sentence ('a sound')": Query("a sound"),
        "a generic sentence and --spans": Query("a sound", spans=times),
        "--spans alone": Query(spans=times),
    }
    conditions = torch.stack([condition(query, ENCODER, excerpt) for query in queries.values()])
    for method, estimate in zip(queries, separate(mixture, conditions), strict=True):
        add_score(method, sdri(sources[0], estimate, mixture))


def active(source: Tensor) -> tuple[tuple[float, float], ...]:
    """Times (start, end) in seconds at which a source is active; short pauses are included."""
    energy = source.view(SECONDS * 10, -1).square().mean(dim=1)
    is_active = (energy > energy.max() * 10 ** (ACTIVE_DB / 10)).tolist()
    times, at = [], 0
    while at < len(is_active):
        end = at
        while any(is_active[end : end + (GAP if end > at else 1)]):
            end += 1
        if end > at:
            times.append((at / 10, end / 10))
        at = end + 1
    return tuple(times)


def measure_presence(
    clips: Sequence[Clip], mixtures: int, encoder: QueryEncoder, seed: int
) -> list[tuple[bool, Presence]]:
    """(present, presence) of queries for sounds in mixtures of one to three sources, and for absent sounds."""
    rng = random.Random(seed)
    captions = {clip.category: clip.caption for clip in clips}
    measured = []
    for _ in range(mixtures):
        count = rng.choice((1, 2, 2, 3))
        drawn = draw(rng, clips, count)
        heard = frozenset().union(*(clip.alike for clip in drawn))
        absent = [name for name in sorted(captions) if not ALIKE[name] & heard]
        queries = [clip.caption for clip in drawn] + [captions[name] for name in rng.sample(absent, 2)]
        mixture, _ = mix([clip.audio() for clip in drawn], [0.0] + [rng.uniform(-6.0, 6.0) for _ in drawn[1:]])
        conditions = dict(zip(queries, encoder.embed_text(queries), strict=True))
        estimates = by_default(mixture, torch.stack(list(conditions.values())), encoder)[:, None]
        meter = PresenceMeter(conditions, encoder, RATE, None)
        meter.add(mixture[None], dict(zip(conditions, estimates, strict=True)))
        measured += [(queries.index(name) < count, meter.found[name]) for name in conditions]
    return measured


def features(measured: Sequence[tuple[bool, Presence]]) -> Values:
    return np.array([[p.similarity, p.residual_similarity, p.level_db] for _, p in measured])


def fit(clips: Sequence[Clip], mixtures: int, encoder: QueryEncoder) -> None:
    measured = measure_presence(clips, mixtures, encoder, 7)
    model = LogisticRegression(C=100.0, max_iter=1000).fit(features(measured), [present for present, _ in measured])
    weights = [round(float(weight), 4) for weight in (*model.coef_[0], *model.intercept_)]
    calibration = Calibration(MODELS.bank.base_sha256, ENCODER.fingerprint, *weights)
    write_json(ASSETS / CALIBRATION, to_mapping(calibration))
    print(f"fitted on {len(measured)} queries: {calibration}")


def print_presence(clips: Sequence[Clip], mixtures: int) -> None:
    calibration = calibration_of(MODELS.bank.base_sha256, ENCODER.fingerprint)
    measured = measure_presence(clips, mixtures, ENCODER, 8)
    truth = np.array([present for present, _ in measured])
    print(
        "\n| score | AUC | accuracy at 0.5 | Brier score | mean, present | mean, absent |"
        "\n|---|---:|---:|---:|---:|---:|"
    )
    rows = {
        "similarity of the target": features(measured)[:, 0],
        "level": features(measured)[:, 2],
        "calibrated": _scores(measured, calibration),
        "uncalibrated": _scores(measured, None),
    }
    for name, values in rows.items():
        cells = [f"{roc_auc_score(truth, values):.3f}"]
        if "calibrated" in name:
            means = (f"{values[truth == side].mean():.2f}" for side in (True, False))
            accuracy = f"{((values > 0.5) == truth).mean():.1%}"
            cells += [accuracy, f"{brier_score_loss(truth, values):.3f}", *means]
        print(f"| {name} | {' | '.join(cells + [''] * (5 - len(cells)))} |")
    print(f"\n{len(measured)} queries, {truth.sum()} of them for sounds that are present.")


def _scores(measured: Sequence[tuple[bool, Presence]], calibration: Calibration | None) -> Values:
    rows = (presence(p.similarity, p.residual_similarity, p.level_db, calibration) for _, p in measured)
    return np.array([row.score for row in rows])


def print_scores(title: str, scores: Scores) -> None:
    """Print a table with one row per method; the first is the baseline of the differences."""
    baseline = next(iter(scores))
    counts = " and ".join(str(len(values)) for values in scores[baseline].values())
    title = f"{title}, {counts} mixtures"
    print(f"\n| {title} | two sources | difference | three sources | difference |\n|---|---:|---:|---:|---:|")
    for method, by_count in scores.items():
        cells = []
        for count in (2, 3):
            values = np.array(by_count[count])
            difference = values - np.array(scores[baseline][count])
            error = difference.std() / len(difference) ** 0.5
            cells += [f"{values.mean():.2f}", f"{difference.mean():+.2f} ± {error:.2f}" if method != baseline else ""]
        print(f"| {method} | {' | '.join(cells)} |", flush=True)


SECTIONS = {"refinement": refinement, "consistency": consistency, "not": negatives, "like": examples, "spans": spans}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--folds", default="4")
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--section", nargs="*", choices=[*SECTIONS, "presence"], default=[*SECTIONS, "presence"])
    parser.add_argument("--fit", type=Path, metavar="ENCODER", help="encoder that was not trained on the folds")
    arguments = parser.parse_args()
    clips = [clip for data in arguments.data for clip in read_clips(data, arguments.folds.split(","))]
    with torch.inference_mode():
        if arguments.fit:
            fit(clips, arguments.mixtures, load_encoder(arguments.fit))
            return
        for seed, name in enumerate(SECTIONS):
            if name in arguments.section:
                print_scores(name, measure(clips, arguments.mixtures, SECTIONS[name], seed))
        if "presence" in arguments.section:
            print_presence(clips, arguments.mixtures)


if __name__ == "__main__":
    main()
