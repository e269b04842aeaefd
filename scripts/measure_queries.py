"""What the ways of asking are worth: targets that share the recording, contrast, negatives, examples, spans, presence.

    python scripts/measure_queries.py DATA [--folds 4] [--mixtures 60] [--section NAME…] [--fit]

DATA is a folder with clips.csv and audio/ (see docs/tiny.md). Mixtures of two and three clips of different classes,
5 s, all of the same energy, are drawn with a fixed seed; queries are the first captions of the classes. Prints the
tables of docs/separate.md: mean SDRi in dB, with the mean difference to the plain way and its standard error.

--fit fits the score of presence on the folds and on built-in sounds, and writes it beside the bundled models. To be run
again whenever these change.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from dplass_cli import sounds
from dplass_cli.audio.reading import fit_length, read_mono
from dplass_cli.data.mixer import declip
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.options.parse import to_mapping
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.masks import share
from dplass_cli.separation.presence import CALIBRATION, Calibration, Presence, PresenceMeter, calibration_of, presence
from dplass_cli.separation.queries import Query, condition, named, plan
from dplass_cli.separation.refinement import Rest, contrasted
from dplass_cli.storage import write_json

RATE, SECONDS = 32000, 5
ACTIVE_DB, GAP, LONGEST_SPANS = -25.0, 4, 2.5  # of the loudest tenth of a second; tenths; seconds
ASSETS = Path(__file__).parents[1] / "dplass_cli"
MODELS = load_models()
NETWORK, ENCODER = MODELS.network, MODELS.encoder

Scores = dict[str, dict[int, list[float]]]
"""{way: {number of sources: SDRi of each mixture, dB}}."""


@dataclass(frozen=True)
class Clip:
    """One source: where it lies, its class and the first caption of that."""

    wav: Path
    category: str
    caption: str

    def audio(self) -> Tensor:
        """float32 (T,)."""
        return torch.from_numpy(fit_length(read_mono(self.wav, RATE), SECONDS * RATE).copy())


def read_clips(data: Path, folds: Sequence[str]) -> list[Clip]:
    with open(data / "clips.csv", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["fold"] in folds]
    return [Clip(data / "audio" / r["filename"], r["category"], r["captions"].split("|")[0]) for r in rows]


def draw(rng: random.Random, clips: Sequence[Clip], count: int) -> list[Clip]:
    """Clips of different classes."""
    while True:
        drawn = rng.sample(clips, count)
        if len({clip.category for clip in drawn}) == count:
            return drawn


def mix(sources: Sequence[Tensor], gains_db: Sequence[float]) -> tuple[Tensor, Tensor]:
    """(mixture (T,), sources (N, T)), each source so many dB over the first, declipped."""
    stacked = torch.stack(list(sources))
    rms = stacked.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
    stacked = stacked * rms[0] / rms * 10.0 ** (torch.tensor(gains_db)[:, None] / 20.0)
    return declip(stacked.sum(dim=0), stacked)


def separate(mixture: Tensor, conditions: Tensor) -> Tensor:
    """float32 (Q, T)."""
    analysis = NETWORK.analyse(mixture[None, None])
    return torch.stack([NETWORK(analysis, row[None])[0, 0] for row in conditions])


def by_default(mixture: Tensor, conditions: Tensor) -> Tensor:
    """float32 (Q, T): each contrasted with what it leaves over, as the bundled models separate by default."""
    targets = separate(mixture, conditions)
    for row, (target, asked) in enumerate(zip(targets.clone(), conditions, strict=True)):
        rest = Rest(asked, ENCODER, RATE)
        rest.hear(mixture[None], target[None])
        if rest.condition is not None:
            targets[row] = contrasted(target, separate(mixture, rest.condition[None])[0], mixture)
    return targets


def shared(estimates: Tensor, mixture: Tensor, queries: Mapping[str, Query], consistent: bool) -> Tensor:
    """Targets as the package makes them: float32 (Q, T)."""
    planned = plan(queries, ENCODER, lambda start, end: torch.zeros(0), consistent)
    return share(estimates[:, None], mixture[None], planned, NETWORK.base.stft, True)[:, 0]


def sdri(reference: Tensor, estimate: Tensor, mixture: Tensor) -> float:
    """Mean over references (N, T) or of one (T,), dB."""
    reference, estimate = reference.view(-1, reference.shape[-1]), estimate.reshape(-1, reference.shape[-1])
    gain = batch_scores(reference, estimate)[0] - batch_scores(reference, mixture.expand_as(reference))[0]
    return float(gain.mean())


def measure(clips: Sequence[Clip], mixtures: int, ways: Callable[..., None], seed: int) -> Scores:
    """Let ``ways`` put scores for each mixture of two and of three sources."""
    scores: Scores = defaultdict(lambda: defaultdict(list))
    rng = random.Random(seed)
    for _ in range(mixtures):
        for count in (2, 3):
            ways(rng, clips, count, lambda way, value, count=count: scores[way][count].append(value))
    return scores


def consistency(rng: random.Random, clips: Sequence[Clip], count: int, put: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    queries = named([clip.caption for clip in drawn])
    estimates = separate(mixture, ENCODER.embed_text(list(queries)))
    put("each by itself", sdri(sources, estimates, mixture))
    put("--consistent", sdri(sources, shared(estimates, mixture, queries, True), mixture))


def contrast(rng: random.Random, clips: Sequence[Clip], count: int, put: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    asked = ENCODER.embed_text([clip.caption for clip in drawn])
    put("each by itself", sdri(sources, separate(mixture, asked), mixture))
    put("contrast", sdri(sources, by_default(mixture, asked), mixture))


def negatives(rng: random.Random, clips: Sequence[Clip], count: int, put: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    wanted, unwanted = ENCODER.embed_text([clip.caption for clip in drawn[:2]])
    turned = {weight: F.normalize(wanted - weight * unwanted, dim=-1) for weight in (0.1, 0.3, 0.5, 1.0)}
    target, noise, *others = separate(mixture, torch.stack([wanted, unwanted, *turned.values()]))
    put("without --not", sdri(sources[0], target, mixture))
    for weight, estimate in zip(turned, others, strict=True):
        put(f"embedding less {weight} of the negative's", sdri(sources[0], estimate, mixture))
    twice, left = separate(target, unwanted[None])[0], separate(mixture - noise, wanted[None])[0]
    for weight in (0.5, 1.0):
        put(f"target less {weight} of the negative in it", sdri(sources[0], target - weight * twice, mixture))
    half = separate(mixture - 0.5 * noise, wanted[None])[0]
    put("separated from the input less 0.5 of the negative", sdri(sources[0], half, mixture))
    put("separated from the input less the negative", sdri(sources[0], left, mixture))
    queries = named([Query(drawn[0].caption, without=(drawn[1].caption,))])
    put(
        "--not: competing masks",
        sdri(sources[0], shared(torch.stack([target, noise]), mixture, queries, False), mixture),
    )
    put("--not alone (target: the rest)", sdri(mixture - sources[1], mixture - noise, mixture))


def examples(rng: random.Random, clips: Sequence[Clip], count: int, put: Callable[[str, float], None]) -> None:
    drawn = draw(rng, clips, count)
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)
    others = [clip for clip in clips if clip.category == drawn[0].category and clip != drawn[0]]
    if len(others) < 3:
        return
    said = ENCODER.embed_text([drawn[0].caption])[0]
    heard = ENCODER.embed_audio([clip.audio() for clip in rng.sample(others, 3)], RATE)
    conditions = {
        "the sentence": said,
        "--like, one example": heard[0],
        "--like, a folder of three": F.normalize(heard.mean(dim=0), dim=-1),
        "sentence and example, half each": F.normalize(said + heard[0], dim=-1),
    }
    for way, estimate in zip(conditions, separate(mixture, torch.stack(list(conditions.values()))), strict=True):
        put(way, sdri(sources[0], estimate, mixture))


def spans(rng: random.Random, clips: Sequence[Clip], count: int, put: Callable[[str, float], None]) -> None:
    for _ in range(200):
        drawn = draw(rng, clips, count)
        found = active(drawn[0].audio())
        if 0 < sum(end - start for start, end in found) <= LONGEST_SPANS:
            break
    else:
        return
    mixture, sources = mix([clip.audio() for clip in drawn], [0.0] * count)

    def excerpt(start: float, end: float) -> Tensor:
        return mixture[round(start * RATE) : round(end * RATE)]

    caption = drawn[0].caption
    queries = {
        "the sentence": Query(caption),
        "the sentence and --spans": Query(caption, spans=found),
        "a sentence that says nothing ('a sound')": Query("a sound"),
        "that and --spans": Query("a sound", spans=found),
        "--spans alone": Query(spans=found),
    }
    conditions = torch.stack([condition(query, ENCODER, excerpt) for query in queries.values()])
    for way, estimate in zip(queries, separate(mixture, conditions), strict=True):
        put(way, sdri(sources[0], estimate, mixture))


def active(source: Tensor) -> tuple[tuple[float, float], ...]:
    """Seconds at which a source sounds; short pauses belong to it."""
    energy = source.view(SECONDS * 10, -1).square().mean(dim=1)
    sounding = (energy > energy.max() * 10 ** (ACTIVE_DB / 10)).tolist()
    found, at = [], 0
    while at < len(sounding):
        end = at
        while any(sounding[end : end + (GAP if end > at else 1)]):
            end += 1
        if end > at:
            found.append((at / 10, end / 10))
        at = end + 1
    return tuple(found)


def heard(clips: Sequence[Clip], mixtures: int, built_in: bool, seed: int) -> list[tuple[bool, Presence]]:
    """(present, what is heard) of queries for what mixtures of one to three sources hold, and for what they don't."""
    rng = random.Random(seed)
    captions = {clip.category: clip.caption for clip in clips}
    kinds = {kind.label: kind for kind in sounds.CATALOGUE}
    found = []
    for number in range(mixtures):
        count = rng.choice((1, 2, 2, 3))
        if built_in and number % 2:
            labels = rng.sample(list(kinds), count + 2)
            sources = [
                torch.from_numpy(sounds.render(kinds[label].name, 5000 + number, float(SECONDS), RATE))
                for label in labels[:count]
            ]
            asked = [kinds[label].captions[0] for label in labels]
        else:
            drawn = draw(rng, clips, count)
            sources = [clip.audio() for clip in drawn]
            absent = sorted(captions.keys() - {clip.category for clip in drawn})
            asked = [clip.caption for clip in drawn] + [captions[name] for name in rng.sample(absent, 2)]
        mixture, _ = mix(sources, [0.0] + [rng.uniform(-6.0, 6.0) for _ in sources[1:]])
        conditions = dict(zip(asked, ENCODER.embed_text(asked), strict=True))
        estimates = by_default(mixture, torch.stack(list(conditions.values())))[:, None]
        meter = PresenceMeter(conditions, ENCODER, RATE, None)
        meter.hear(mixture[None], dict(zip(conditions, estimates, strict=True)))
        found += [(asked.index(name) < count, meter.found[name]) for name in conditions]
    return found


def features(found: Sequence[tuple[bool, Presence]]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([[p.similarity, p.residual_similarity, p.level_db] for _, p in found])


def fit(clips: Sequence[Clip], mixtures: int) -> None:
    found = heard(clips, mixtures, True, 7)
    model = LogisticRegression(C=100.0, max_iter=1000).fit(features(found), [present for present, _ in found])
    weights = [round(float(weight), 4) for weight in (*model.coef_[0], *model.intercept_)]
    calibration = Calibration(MODELS.bank.base_sha256, ENCODER.fingerprint, *weights)
    write_json(ASSETS / CALIBRATION, to_mapping(calibration))
    print(f"fitted on {len(found)} queries: {calibration}")


def tell_presence(clips: Sequence[Clip], mixtures: int) -> None:
    calibration = calibration_of(MODELS.bank.base_sha256, ENCODER.fingerprint)
    found = heard(clips, mixtures, False, 8)
    truth = np.array([present for present, _ in found])
    print(
        "\n| score | AUC | right at 0.5 | Brier score | mean, present | mean, absent |\n|---|---:|---:|---:|---:|---:|"
    )
    rows = {
        "similarity of the target": features(found)[:, 0],
        "level": features(found)[:, 2],
        "calibrated": _again(found, calibration),
        "uncalibrated": _again(found, None),
    }
    for name, values in rows.items():
        cells = [f"{roc_auc_score(truth, values):.3f}"]
        if "calibrated" in name:
            means = (f"{values[truth == side].mean():.2f}" for side in (True, False))
            right = f"{((values > 0.5) == truth).mean():.1%}"
            cells += [right, f"{brier_score_loss(truth, values):.3f}", *means]
        print(f"| {name} | {' | '.join(cells + [''] * (5 - len(cells)))} |")
    print(f"\n{len(found)} queries, {truth.sum()} of them for what is there.")


def _again(found: Sequence[tuple[bool, Presence]], calibration: Calibration | None) -> np.ndarray:  # type: ignore[type-arg]
    rows = (presence(p.similarity, p.residual_similarity, p.level_db, calibration) for _, p in found)
    return np.array([row.score for row in rows])


def tell(title: str, scores: Scores) -> None:
    """Print a table: a way a row, the first is what the others are compared with."""
    plain = next(iter(scores))
    print(f"\n| {title} | two sources | difference | three sources | difference |\n|---|---:|---:|---:|---:|")
    for way, by_count in scores.items():
        cells = []
        for count in (2, 3):
            values = np.array(by_count[count])
            difference = values - np.array(scores[plain][count])
            error = difference.std() / len(difference) ** 0.5
            cells += [f"{values.mean():.2f}", f"{difference.mean():+.2f} ± {error:.2f}" if way != plain else ""]
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


SECTIONS = {"contrast": contrast, "consistency": consistency, "not": negatives, "like": examples, "spans": spans}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", default="4")
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--section", nargs="*", choices=[*SECTIONS, "presence"], default=[*SECTIONS, "presence"])
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    clips = read_clips(arguments.data, arguments.folds.split(","))
    with torch.inference_mode():
        if arguments.fit:
            fit(clips, arguments.mixtures)
            return
        for seed, name in enumerate(SECTIONS):
            if name in arguments.section:
                tell(name, measure(clips, arguments.mixtures, SECTIONS[name], seed))
        if "presence" in arguments.section:
            tell_presence(clips, arguments.mixtures)


if __name__ == "__main__":
    main()
