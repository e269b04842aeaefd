"""Each domain's adapter against the base on the mixtures of fold 4 whose target is of that domain.

    python scripts/adapters_on_fold4.py DATA PARTITION EVALUATION

DATA is a folder with clips.csv and eval_fold4.csv (see docs/tiny.md), PARTITION the domains that the adapters were
trained on, EVALUATION what `dplass evaluate` wrote for them. Prints a table; the interval is the 95% percentile
interval of 10,000 bootstrap draws of target clips (a clip's mixtures stay together).
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from dplass_cli.domains.partition import read_partition
from dplass_cli.separation.bank import bank_key

DRAWS = 10_000


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


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
    for name in ("data", "partition", "evaluation"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    label = {row["filename"]: row["audioset_label"] for row in rows(arguments.data / "clips.csv")}
    source = {row["idx"]: row["src_wav"] for row in rows(arguments.data / "eval_fold4.csv")}
    sdri: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows(arguments.evaluation / "items.csv"):
        sdri[row["idx"]][row["adapter"]] = float(row["sdri"])
    print("| domain | mixtures | base SDRi (dB) | adapter SDRi (dB) | difference (dB) | 95% interval |")
    print("|---|---:|---:|---:|---:|---:|")
    for domain in read_partition(arguments.partition).domains:
        key = bank_key(domain.id)
        items = [idx for idx in sdri if label[source[idx]] in domain.captions]
        if not items:
            print(f"| {domain.id} {domain.name} | 0 | no mixtures of this domain in fold 4 | | | |")
            continue
        differences: dict[str, list[float]] = defaultdict(list)
        for idx in items:
            differences[source[idx]].append(sdri[idx][key] - sdri[idx]["base"])
        base, adapter = (np.mean([sdri[idx][which] for idx in items]) for which in ("base", key))
        mean, low, high = interval(differences)
        print(
            f"| {domain.id} {domain.name} | {len(items)} | {base:.2f} | {adapter:.2f} | {mean:+.2f}"
            f" | {low:+.2f} … {high:+.2f} |"
        )


if __name__ == "__main__":
    main()
