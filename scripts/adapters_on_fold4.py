"""Each domain's adapter against the base on the mixtures of fold 4 whose target is of that domain.

    python scripts/adapters_on_fold4.py DATA PARTITION BANK WORK

DATA is a folder with clips.csv, audio/ and eval_fold4.csv (see docs/tiny.md), PARTITION the domains that the adapters
of BANK were trained on. WORK receives a row an item, so that a stopped run goes on. Prints a table; the interval is
the 95% percentile interval of 10,000 bootstrap draws of target clips (a clip's mixtures stay together).
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from dplass_cli.data.mixtures import read_mixtures
from dplass_cli.domains.partition import read_partition
from dplass_cli.evaluation.evaluator import BASE, COLUMNS, evaluate_mixtures
from dplass_cli.separation.bank import bank_key
from dplass_cli.separation.loading import load_models
from dplass_cli.storage import Records, make_folder, no_progress

DRAWS = 10_000


def interval(differences: dict[str, list[float]]) -> tuple[float, float, float]:
    """Mean of {clip: differences in dB} and its 95% interval."""
    rng = np.random.default_rng(0)
    sums = np.array([sum(values) for values in differences.values()])
    counts = np.array([len(values) for values in differences.values()])
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(sums.sum() / counts.sum()), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "partition", "bank", "work"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    with open(arguments.data / "clips.csv", encoding="utf-8", newline="") as stream:
        label = {row["filename"]: row["audioset_label"] for row in csv.DictReader(stream)}
    mixtures = read_mixtures(arguments.data / "eval_fold4.csv", arguments.data / "audio")
    make_folder(arguments.work)
    print("| domain | mixtures | base SDRi (dB) | adapter SDRi (dB) | difference (dB) | 95% interval |")
    print("|---|---:|---:|---:|---:|---:|")
    for domain in read_partition(arguments.partition).domains:
        key = bank_key(domain.id)
        items = {m.idx: m for m in mixtures if label[m.source.wav.name] in domain.captions}
        if not items:
            print(f"| {domain.id} {domain.name} | 0 | no mixtures of this domain in fold 4 | | | |")
            continue
        models = load_models(adapters=[arguments.bank / key])
        with Records(arguments.work / f"{key}.csv", COLUMNS, models.bank.fingerprint(key)) as records:
            evaluate_mixtures(list(items.values()), models, records, 5.0, 8, no_progress)
            sdri = {(row["idx"], row["adapter"]): float(row["sdri"]) for row in records.rows}
        differences: dict[str, list[float]] = defaultdict(list)
        for idx, mixture in items.items():
            differences[mixture.source.wav.name].append(sdri[idx, key] - sdri[idx, BASE])
        base, adapter = (np.mean([sdri[idx, which] for idx in items]) for which in (BASE, key))
        mean, low, high = interval(differences)
        print(
            f"| {domain.id} {domain.name} | {len(items)} | {base:.2f} | {adapter:.2f} | {mean:+.2f}"
            f" | {low:+.2f} … {high:+.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
