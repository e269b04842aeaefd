"""Measure the bundled models: the figures of docs/tiny.md.

    python scripts/measure_tiny.py DATA WORK [--adapters BANK] [--table CSV]

DATA is a folder with clips.csv, audio/ and eval_fold4.csv (see docs/tiny.md). WORK receives the evaluations, which
resume where they stopped. Intervals are 95% percentile intervals of 10,000 bootstrap draws of target clips (a clip's
mixtures stay together); those of the policies are ``dplass evaluate``'s, over mixtures.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dplass_cli import Separator
from dplass_cli.adapters.bank_folder import bank_key, read_bank
from dplass_cli.audio.reading import read_mono
from dplass_cli.data.mixture_tables import read_mixtures, write_mixtures
from dplass_cli.encoders import load_encoder
from dplass_cli.evaluation.evaluation_run import EvaluateResult
from dplass_cli.evaluation.item_records import read_item_scores
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.storage import make_folder
from tiny_models.clips import RATE, read_clips
from tiny_models.kinds import held_out, ordinary_wordings, read_kinds

ASSETS = Path(__file__).parents[1] / "dplass_cli" / "assets" / "tiny"
POLICIES = (
    "base",
    "text",
    "text-knn",
    "audio",
    "blend",
    "base+residual",
    "text+residual",
    "text-knn+residual",
    "oracle",
)
DEFAULT = "text-knn+residual"
EARLIER = ("base", "text", "validated+residual", "oracle")
DRAWS = 10_000

Sdri = dict[tuple[str, str], float]
"""{(item, run): SDRi, dB}."""


def interval(differences: dict[str, list[float]]) -> tuple[float, float, float]:
    """Mean of {clip: differences in dB} and its 95% interval."""
    rng = np.random.default_rng(0)
    sums = np.array([sum(values) for values in differences.values()])
    counts = np.array([len(values) for values in differences.values()])
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return float(sums.sum() / counts.sum()), float(low), float(high)


def run(
    table: Path, data: Path, bank: str, output: Path, select: Sequence[str], model: str = "tiny"
) -> tuple[EvaluateResult, Sdri]:
    """Evaluate bundled models on a table of mixtures."""
    options = EvaluateOptions(
        output=output,
        metadata_csv=table,
        audio_dir=data / "audio",
        base_checkpoint=model,
        adapters=(bank,),
        select=tuple(select),
    )
    result = evaluate(options)["custom"]
    return result, {(score.idx, score.run): score.sdri for score in read_item_scores(output) if score.sdri is not None}


def print_policies(result: EvaluateResult) -> None:
    """Print each policy's scores, difference to the base, and share of the oracle's gain."""
    policies = result.scores.policies
    gain = policies["oracle"].sdri - policies["base"].sdri
    print(
        "\n| policy | SDRi (dB) | SI-SDR (dB) | difference to the base (dB) | 95% interval"
        " | share of the oracle's gain |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, score in policies.items():
        low, high = score.difference_ci or (0.0, 0.0)
        difference = score.difference or 0.0
        print(
            f"| {name} | {score.sdri:.2f} | {score.si_sdr:.2f} | {difference:+.2f} | {low:+.2f} … {high:+.2f}"
            f" | {difference / gain:.0%} |"
        )


def print_groups(groups: dict[str, list[str]], clips: dict[str, str], sdri: Sdri, runs: dict[str, str]) -> None:
    """Print the SDRi of the base and another run on groups of items.

    Args:
        groups: {name: its items}.
        clips: {item: its target clip}.
        sdri: SDRi of each item and run.
        runs: {name of a group: the run to compare}.
    """
    print("\n| | mixtures | base SDRi (dB) | run SDRi (dB) | difference (dB) | 95% interval |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, items in groups.items():
        differences: dict[str, list[float]] = defaultdict(list)
        for idx in items:
            differences[clips[idx]].append(sdri[idx, runs[name]] - sdri[idx, "base"])
        base, other = (np.mean([sdri[idx, which] for idx in items]) for which in ("base", runs[name]))
        mean, low, high = interval(differences)
        print(f"| {name} | {len(items)} | {base:.2f} | {other:.2f} | {mean:+.2f} | {low:+.2f} … {high:+.2f} |")


def reworded(table: Path, data: Path, output: Path, wordings: Mapping[str, Sequence[str]]) -> Path:
    """Write the same mixtures with queries in other wordings of their kinds."""
    rng = random.Random(1)
    kind_of = {category: kind.name for kind in read_kinds()[0] for category in kind.categories}
    kinds = {row["filename"]: kind_of[row["category"]] for row in read_clips(data)}
    mixtures = [
        replace(m, source=replace(m.source, caption=rng.choice(wordings[kinds[m.source.wav.name]])))
        for m in read_mixtures(table, data / "audio")
    ]
    write_mixtures(output, mixtures)
    return output


def print_retrieval(data: Path, fold: str) -> None:
    """Print how many clips of a fold are nearest to the first caption of their class."""
    encoder = load_encoder("tiny")
    rows = [row for row in read_clips(data) if row["fold"] == fold]
    first = {row["category"]: row["captions"].split("|")[0] for row in rows}
    names = sorted(first)
    texts = encoder.embed_text([first[name] for name in names])
    right: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        embedding = encoder.embed_audio([torch.from_numpy(read_mono(data / "audio" / row["filename"], RATE))], RATE)[0]
        right[row["category"]].append(names[int((texts @ embedding).argmax())] == row["category"])
    every = [hit for hits in right.values() for hit in hits]
    print(
        f"\nRetrieval: {sum(every)} of {len(every)} clips ({np.mean(every):.1%}) nearest to their class,"
        f" of {len(names)} classes;"
    )
    print("by class: " + ", ".join(f"{name} {sum(hits)}/{len(hits)}" for name, hits in sorted(right.items())))


def print_sizes(bank: Path) -> None:
    """Print the sizes on disk."""
    for path in (ASSETS / "encoder.safetensors", ASSETS / "base.safetensors", bank):
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        print(f"{path.name}: {sum(file.stat().st_size for file in files) / 1e6:.2f} MB")


def print_speed(bank: str) -> None:
    """Print the real-time factor of a minute of mono on one core, in CPU time."""
    torch.set_num_threads(1)
    audio = np.random.default_rng(0).normal(0, 0.1, (1, 60 * RATE)).astype(np.float32)
    for policy in ("base", "text", DEFAULT):
        separator = Separator.from_pretrained(adapters=bank, policy=policy)
        separator(audio[:, : 10 * RATE], RATE, ["a dog barking"])
        start = time.process_time()
        separator(audio, RATE, ["a dog barking"])
        print(f"{policy}: real-time factor {(time.process_time() - start) / 60:.3f} on one core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--adapters", default=str(ASSETS / "bank"))
    parser.add_argument("--table", type=Path, help="default: eval_fold4.csv of DATA")
    arguments = parser.parse_args()
    table, work = arguments.table or arguments.data / "eval_fold4.csv", make_folder(arguments.work)
    mixtures = {mixture.idx: mixture for mixture in read_mixtures(table, arguments.data / "audio")}
    clips = {idx: mixture.source.wav.name for idx, mixture in mixtures.items()}
    rows = {row["filename"]: row for row in read_clips(arguments.data)}
    result, sdri = run(table, arguments.data, arguments.adapters, work / "captions", POLICIES)
    print_policies(result)
    print("\nVersion 0.1's models on the same mixtures:")
    print_policies(run(table, arguments.data, "tiny-0.1", work / "earlier", EARLIER, "tiny-0.1")[0])
    classes: dict[str, list[str]] = defaultdict(list)
    for idx, clip in clips.items():
        classes[rows[clip]["category"]].append(idx)
    kind_of = {category: kind for kind in read_kinds()[0] for category in kind.categories}
    groups: dict[str, list[str]] = defaultdict(list)
    for idx, clip in clips.items():
        group = kind_of[rows[clip]["category"]].group
        groups[group if group in ("instruments", "speech", "music") else "events"].append(idx)
    print_groups(dict(sorted(groups.items())), clips, sdri, dict.fromkeys(groups, DEFAULT))
    print_groups(dict(sorted(classes.items())), clips, sdri, dict.fromkeys(classes, DEFAULT))
    domains: dict[str, list[str]] = {}
    adapters = {}
    for domain in read_bank(arguments.adapters).values():
        name = f"{domain.id} {domain.name}"
        found = [i for i, clip in clips.items() if kind_of[rows[clip]["category"]].name in domain.captions]
        if found:
            domains[name], adapters[name] = found, bank_key(domain.id)
    print_groups(domains, clips, sdri, adapters)
    for what, wordings in {"ordinary": ordinary_wordings(), "held_out": held_out()}.items():
        other = reworded(table, arguments.data, work / f"{what}.csv", wordings)
        scores = run(other, arguments.data, arguments.adapters, work / what, ("base", "text-knn", DEFAULT))[0].scores
        print(f"\n| policy | known captions (dB) | {what} wordings (dB) | difference (dB) |\n|---|---:|---:|---:|")
        for name, score in scores.policies.items():
            known = result.scores.policies[name].sdri
            print(f"| {name} | {known:.2f} | {score.sdri:.2f} | {score.sdri - known:+.2f} |")
    print_retrieval(arguments.data, rows[next(iter(clips.values()))]["fold"])
    print_sizes(Path(arguments.adapters))
    print_speed(arguments.adapters)


if __name__ == "__main__":
    main()
