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
from tiny_models.kinds import Carriers, Kind
from tiny_models.networks import DOMAINS, train_adapters, train_base
from tiny_models.towers import train_audio

FOLD = "3"


def cross_validate(
    corpora: Sequence[Path],
    found: Sequence[Sound],
    kinds: Sequence[Kind],
    carriers: Carriers,
    domains: Partition,
    untrained: Path,
    work: Path,
    steps: tuple[int, int, int],
    count: int,
) -> dict[int, float]:
    """Train a base and its adapters without a fold, and measure them on it: {domain: mean SDRi over the base's, dB}.

    The base must be trained without the fold too: on clips that a base was trained on, an adapter that was not can
    only lose. So must the audio tower, for policies that look at the outputs: it knows clips that it was trained on.

    Args:
        untrained: file of an encoder with a finished text tower, which was trained on no clip.
        steps: of the audio tower, of the base and of each adapter.
        count: mixtures.
    """
    without = make_folder(work / "models")
    kept = [sound for sound in found if sound.fold != FOLD]
    encoder = without / "encoder.safetensors"
    train_audio(untrained, kept, work, encoder, steps[0])
    train_base(kept, kinds, carriers, encoder, work, without / "base.safetensors", steps[1])
    train_adapters(kept, kinds, domains, without, work, steps[2], range(DOMAINS))
    drawn = draw(corpora, kinds, FOLD, count)
    write_mixtures(work / "mixtures.csv", [mixture for _, mixture in drawn])
    options = EvaluateOptions(
        output=work / "evaluation",
        metadata_csv=work / "mixtures.csv",
        base_checkpoint=str(without / "base.safetensors"),
        encoder=str(encoder),
        adapters=(str(without / "bank"),),
        select=("base", "oracle"),
    )
    evaluate(options)
    scores = read_item_scores(work / "evaluation")
    sdri = {(score.idx, score.run): score.sdri for score in scores if score.sdri is not None}
    domain_of = {caption: domain.id for domain in domains.domains for caption in domain.captions}
    gains: dict[int, list[float]] = defaultdict(list)
    for number, (kind, _) in enumerate(drawn):
        domain = domain_of[kind]
        gains[domain].append(sdri[str(number), bank_key(domain)] - sdri[str(number), "base"])
    return {domain: float(np.mean(values)) for domain, values in sorted(gains.items())}


def draw(corpora: Sequence[Path], kinds: Sequence[Kind], fold: str, count: int) -> list[tuple[str, Mixture]]:
    """Mixtures of a fold's clips at 0 dB with the kinds of their targets, all kinds about equally often.

    Kinds that sound alike are not mixed. A clip is the target of two mixtures of its kind before the next clip is, to
    separate the effect of the target from that of the interference.
    """
    rng = random.Random(5)
    kind_of = {category: kind for kind in kinds for category in kind.categories}
    clips: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    alike: dict[str, frozenset[str]] = {}
    for corpus in corpora:
        for row in read_clips(corpus):
            if row["fold"] == fold:
                kind = kind_of[row["category"]]
                alike[kind.name] = frozenset({kind.name, *kind.alike})
                clips[kind.name].append(
                    (corpus.absolute() / "audio" / row["filename"], rng.choice(row["captions"].split("|")))
                )
    names = sorted(clips)
    for name in names:
        rng.shuffle(clips[name])
    mixtures = []
    for number in range(count):
        name = names[number % len(names)]
        other = rng.choice([other for other in names if not alike[name] & alike[other]])
        turn = number // len(names) // 2
        (source, caption), (noise, _) = clips[name][turn % len(clips[name])], rng.choice(clips[other])
        mixtures.append((name, Mixture(Row(source, caption), Row(noise, ""))))
    return mixtures


def write_gains(bank: Path, gains: Mapping[int, float]) -> None:
    """Put the gains into a bank's description, for the policy ``validated``."""
    described = {name: value for name, value in read_json(bank / "bank.json").items() if name != "domains"}
    known = [replace(domain, sdri_gain_db=round(gains.get(domain.id, 0.0), 2)) for domain in read_bank(bank).values()]
    write_bank(bank, known, described)
