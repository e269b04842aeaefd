"""Train the same adapters with and without data.semantic_filter, over the same steps, and compare them on mixtures.

    python scripts/measure_semantic_filter.py PARTITION TABLE OUTPUT [--steps 500] [--threshold 0.8] [--seeds 1] …

PARTITION is a folder of dplass partition, TABLE a table of mixtures for dplass evaluate whose clips are not in it, such
as those of fold 4 for a partition of folds 1 to 3:

    dplass prepare csv --table DATA/clips.csv --audio-dir DATA/audio --column wav=filename \
        --column caption=audioset_label --where fold=1,2,3 --output train.json
    dplass partition train.json --output partition
    python scripts/measure_semantic_filter.py partition DATA/eval_fold4.csv compared --audio-dir DATA/audio

Everything else is equal: base, seed, order of targets, batches. An interrupted run continues with the same command.
Prints, for each seed, the mean SDRi in dB without and with the filter, the paired difference with its 95% interval, and
the share of pairs that the filter rejected.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from dplass_cli.cli.console import quieten
from dplass_cli.evaluation.comparison import compare_runs, read_run
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.train import train


def measure(arguments: argparse.Namespace, threshold: float | None, seed: int) -> tuple[Path, float]:
    """Train and evaluate: the evaluation folder, and the share of pairs that the filter rejected."""
    folder = arguments.output / f"{'plain' if threshold is None else 'filtered'}{seed}"
    trained = train(
        TrainOptions(
            partition=arguments.partition,
            workspace=folder / "run",
            base_checkpoint=arguments.base_checkpoint,
            encoder=arguments.encoder,
            tokenizer=arguments.tokenizer,
            data=DataSettings(semantic_filter=threshold, interference=arguments.interference),
            train=replace(
                TrainSettings(),
                max_steps=arguments.steps,
                batch_size_per_device=arguments.batch_size,
                random_seed=seed,
            ),
            device=arguments.device,
            resume=True,
        )
    )
    evaluation = folder / "evaluation"
    evaluate(
        EvaluateOptions(
            metadata_csv=arguments.table,
            audio_dir=arguments.audio_dir,
            base_checkpoint=arguments.base_checkpoint,
            encoder=arguments.encoder,
            tokenizer=arguments.tokenizer,
            adapters=(str(trained.output),),
            select=(arguments.select,),
            output=evaluation,
            device=arguments.device,
            report=False,
        )
    )
    pairs = sum(domain.pairs for domain in trained.domains.values())
    return evaluation, sum(domain.near_pairs for domain in trained.domains.values()) / max(1, pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("partition", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--audio-dir", type=Path)
    parser.add_argument("--steps", type=int, default=500, help="optimiser steps of each adapter")
    parser.add_argument(
        "--batch-size", type=int, default=TrainSettings().batch_size_per_device, help="mixtures per step"
    )
    parser.add_argument("--interference", choices=["other", "any", "same"], default=DataSettings().interference)
    parser.add_argument("--threshold", type=float, default=DataSettings().semantic_filter)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 42 on")
    parser.add_argument("--select", default="text", help="the policy that is compared")
    parser.add_argument("--base-checkpoint", default="tiny")
    parser.add_argument("--encoder")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    quieten(verbose=False)
    for seed in range(42, 42 + arguments.seeds):
        plain, _ = measure(arguments, None, seed)
        filtered, rejected = measure(arguments, arguments.threshold, seed)
        without, with_filter = compare_runs([read_run(plain), read_run(filtered)], [arguments.select])
        low, high = with_filter.difference_ci
        print(
            f"seed {seed}: SDRi without {without.sdri:.2f} dB, with {with_filter.sdri:.2f} dB, difference"
            f" {with_filter.difference:+.3f} [{low:+.3f}, {high:+.3f}] dB over {with_filter.n} mixtures;"
            f" {rejected:.1%} of pairs rejected"
        )


if __name__ == "__main__":
    main()
