"""Measure how much of the oracle's gain is not chance: what its choice is worth for adapters of another seed.

    python scripts/oracle_bound.py EVALUATION EVALUATION … [--of EVALUATION]

Each EVALUATION is the folder of `dplass evaluate --select base,text-knn:1,oracle`, over the same mixtures and base,
with a bank of the same domains that was trained with another seed. The best of several noisy results exceeds their mean
even if no adapter is better. What depends on the mixture and the domain, and not on the seed, is a gain for adapters of
another seed, too: the adapter of each mixture is chosen by the mean score of the other seeds. No selector is expected
to gain more, unless it knows the noise of the weights at hand.

Prints the mean gain over the base in dB with its 95% interval over the mixtures, of the oracle, of the choice of the
other seeds, and of the nearest caption: the mean over the seeds, or the gains of the bank of `--of`, for which all
seeds choose.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from compare_partitions import mean_with_interval
from dplass_cli.evaluation.comparison import read_run
from dplass_cli.evaluation.item_records import read_item_scores

Values = npt.NDArray[np.float64]
Seed = tuple[pd.DataFrame, pd.DataFrame, pd.Series]
"""Gain of each adapter over the base in SDRi, dB; the same in SDRi + SI-SDR; gain of the nearest caption's adapter in
SDRi, dB. The rows are the mixtures, the columns the adapters."""

BASE = "base"
TEXT = "text-knn:1"


def read_seed(folder: Path) -> Seed:
    """Read an evaluation."""
    scores = pd.DataFrame(vars(score) for score in read_item_scores(folder)).set_index(["idx", "run"])
    by_run = scores[["sdri", "si_sdr"]].astype(float).unstack("run").dropna()
    sdri = by_run["sdri"]
    both = sdri + by_run["si_sdr"]
    run = read_run(folder).scores.set_index("idx")
    chosen = run[run["condition"] == TEXT]["sdri"]
    base = run[run["condition"] == BASE]["run"].iloc[0]
    adapters = [column for column in sdri.columns if column != base]
    return (
        sdri[adapters].sub(sdri[base], axis=0),
        both[adapters].sub(both[base], axis=0),
        chosen.loc[sdri.index] - sdri[base],
    )


def gains(own: Seed, others: Sequence[Seed]) -> dict[str, Values]:
    """The gain of each choice for the adapters of one seed, dB by mixture."""
    sdri, both, text = own
    rows = np.arange(len(sdri))
    elsewhere = np.sum([scores.to_numpy() for _, scores, _ in others], axis=0)
    return {
        "oracle": sdri.to_numpy()[rows, both.to_numpy().argmax(axis=1)],
        "the choice of the other seeds": sdri.to_numpy()[rows, elsewhere.argmax(axis=1)],
        "the nearest caption": text.to_numpy(),
    }


def mean_gains(seeds: Sequence[Seed]) -> dict[str, Values]:
    """The gain of each choice, dB by mixture, as the mean over the seeds."""
    by_seed = [gains(own, [other for other in seeds if other is not own]) for own in seeds]
    return {name: np.mean([found[name] for found in by_seed], axis=0) for name in by_seed[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluations", type=Path, nargs="+", metavar="EVALUATION")
    parser.add_argument("--of", type=Path, help="of another bank of the same domains", metavar="EVALUATION")
    arguments = parser.parse_args()
    seeds = [read_seed(folder) for folder in arguments.evaluations]
    if len(seeds) < 2:
        raise SystemExit("EVALUATION: at least two seeds are needed")
    judged = None if arguments.of is None else read_seed(arguments.of)
    for _, both, _ in [*seeds, *([] if judged is None else [judged])]:
        if not (both.index.equals(seeds[0][1].index) and both.columns.equals(seeds[0][1].columns)):
            raise SystemExit("EVALUATION: all need the same mixtures and adapters of the same names")
    found = mean_gains(seeds) if judged is None else gains(judged, seeds)
    for name, values in found.items():
        share = values.mean() / found["oracle"].mean()
        print(f"{name}: {mean_with_interval(values.tolist())} dB over the base, {share:.0%} of the oracle's")


if __name__ == "__main__":
    main()
