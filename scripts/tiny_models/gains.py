"""What each domain's adapter gains over the base on clips that it was not trained on: cross-validation by a fold."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dplass_cli.adapters.bank_folder import bank_key, read_bank, write_bank
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.evaluation.item_records import read_item_scores
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.storage import make_folder, read_json
from tiny_models.clips import Sound, read_clips
from tiny_models.networks import DOMAINS, train_adapters, train_base
from tiny_models.wordings import Wordings

FOLD = "3"


def cross_validate(
    data: Path,
    found: Sequence[Sound],
    wordings: Wordings,
    domains: Partition,
    encoder: Path,
    work: Path,
    steps: tuple[int, int],
    count: int,
) -> dict[int, float]:
    """Train a base and its adapters without a fold, and measure them on it: {domain: mean SDRi over the base's, dB}.

    Without a base of its own a fold says little: to a base that has heard a clip an adapter that has not can only lose.

    Args:
        encoder: its file; what is asked for goes through its text tower, which hears nothing.
        steps: of the base and of each adapter.
        count: mixtures.
    """
    without = make_folder(work / "models")
    (without / encoder.name).write_bytes(encoder.read_bytes())
    kept = [sound for sound in found if not (sound.real and sound.clip.startswith(FOLD))]
    train_base(kept, wordings, encoder, work, without / "base.safetensors", steps[0])
    train_adapters(kept, domains, without, work, steps[1], range(DOMAINS))
    mixtures = draw(data, FOLD, count)
    write_mixtures(work / "mixtures.csv", mixtures)
    options = EvaluateOptions(
        output=work / "evaluation",
        metadata_csv=work / "mixtures.csv",
        base_checkpoint=str(without / "base.safetensors"),
        encoder=str(without / "encoder.safetensors"),
        adapters=(str(without / "bank"),),
        select=("base", "oracle"),
    )
    evaluate(options)
    sdri = {(score.idx, score.run): score.sdri for score in read_item_scores(work / "evaluation")}
    first = {row["filename"]: row["captions"].split("|")[0] for row in read_clips(data)}
    of = {caption: domain.id for domain in domains.domains for caption in domain.captions}
    gains: dict[int, list[float]] = defaultdict(list)
    for number, mixture in enumerate(mixtures):
        domain = of[first[mixture.source.wav.name]]
        gains[domain].append(sdri[str(number), bank_key(domain)] - sdri[str(number), "base"])
    return {domain: float(np.mean(values)) for domain, values in sorted(gains.items())}


def draw(data: Path, fold: str, count: int) -> list[Mixture]:
    """Mixtures of two classes of a fold at 0 dB, all classes about equally often the target."""
    rng = random.Random(5)
    by_label: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in read_clips(data):
        if row["fold"] == fold:
            by_label[row["audioset_label"]].append(row)
    labels = sorted(by_label)
    mixtures = []
    for number in range(count):
        label = labels[number % len(labels)]
        other = rng.choice([name for name in labels if name != label])
        source, noise = rng.choice(by_label[label]), rng.choice(by_label[other])
        caption = rng.choice(source["captions"].split("|"))
        wav = data.absolute() / "audio"
        mixtures.append(Mixture(Row(wav / source["filename"], caption), Row(wav / noise["filename"], "")))
    return mixtures


def write_gains(bank: Path, gains: Mapping[int, float]) -> None:
    """Put the gains into a bank's description, for the policy ``validated``."""
    described = {name: value for name, value in read_json(bank / "bank.json").items() if name != "domains"}
    known = [replace(domain, sdri_gain_db=round(gains.get(domain.id, 0.0), 2)) for domain in read_bank(bank).values()]
    write_bank(bank, known, described)
