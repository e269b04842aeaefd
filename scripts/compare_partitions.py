"""Compare what a partition gains with what as much training gains without one, over several seeds.

    python scripts/compare_partitions.py MANIFEST PARTITION TABLE OUTPUT [--steps 100] [--seeds 3] [--arms domains,…]

Trains, over the same base and for each seed:

- domains: one adapter per domain of PARTITION;
- random: one adapter per domain of a random partition into domains of the same sizes;
- one: one adapter for all sounds, of as many parameters and as many steps as the adapters of all domains;
- base: the whole base, for as many steps as the adapters of all domains.

MANIFEST is that of PARTITION, TABLE a table of mixtures for dplass evaluate with clips that are not in it. Adapters
are chosen by the caption nearest to the query. Prints the mean SDRi of each arm, and its paired difference to
the first arm with the 95% interval over the mixtures. An interrupted run continues with the same command.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dplass_cli.cli.console import quieten
from dplass_cli.domains.partition_folder import PARTITION_FILE, read_partition
from dplass_cli.evaluation.comparison import read_run
from dplass_cli.evaluation.statistics import bootstrap, interval
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.train import train
from dplass_cli.storage import make_folder, write_json
from tiny_models.networks import ADAPTER, ADAPTER_DATA, fast_precision

BATCH = 4
ADAPTER_RATE = 5e-4
BASE_RATE = 1e-4  # fine-tuning of what is trained already
POLICY = "text-knn:1"

ARMS: dict[str, str] = {
    "domains": "one adapter per domain",
    "random": "one adapter per domain of a random partition",
    "one": "one adapter for all sounds",
    "base": "the whole base",
}

Domains = list[tuple[str, ...]]


def domains_of(arguments: argparse.Namespace, arm: str, seed: int) -> Domains:
    """The captions of each domain of an arm."""
    domains = [domain.captions for domain in read_partition(arguments.partition).domains]
    captions = [caption for domain in domains for caption in domain]
    if arm in ("one", "base"):
        return [tuple(captions)]
    if arm == "random":
        random.Random(seed).shuffle(captions)
        remaining = iter(captions)
        return [tuple(next(remaining) for _ in domain) for domain in domains]
    return domains


def import_domains(arguments: argparse.Namespace, domains: Domains, folder: Path) -> Path:
    """Make the partition folder of such domains."""
    if not (folder / "partition" / PARTITION_FILE).is_file():
        published = {
            f"cluster{id}": {"cluster_id": id, "categories_in_cluster": captions} for id, captions in enumerate(domains)
        }
        write_json(make_folder(folder) / "domains.json", published)
        partition(
            PartitionOptions(
                arguments.manifest,
                folder / "partition",
                import_file=folder / "domains.json",
                cache=arguments.output / "embeddings",
                val_mixtures=1,
            )
        )
    return folder / "partition"


def train_arm(arguments: argparse.Namespace, arm: str, seed: int, folder: Path) -> Path:
    """Train an arm: its bank, or its base."""
    domains = domains_of(arguments, arm, seed)
    together = len(read_partition(arguments.partition).domains) if arm in ("one", "base") else 1
    settings = TrainSettings(
        OptimizerSettings(
            learning_rate=BASE_RATE if arm == "base" else ADAPTER_RATE, schedule="cosine", warm_up_steps=20
        ),
        batch_size_per_device=BATCH,
        num_workers=0,
        loss_type="negative_sdr",
        precision=fast_precision(),
        max_epochs=1_000_000,
        max_steps=arguments.steps * together,
        # Adapters of the last step are compared; validation would only cost time.
        steps_per_epoch=arguments.steps * together,
        save_step_frequency=50,
        gradient_clip=5.0,
        random_seed=seed,
    )
    assert isinstance(ADAPTER.rank, int)  # of all layers
    rank = ADAPTER.rank * together
    trained = train(
        TrainOptions(
            partition=import_domains(arguments, domains, folder),
            workspace=folder / "run",
            what="base" if arm == "base" else "adapters",
            base_checkpoint=arguments.base_checkpoint,
            encoder=arguments.encoder,
            adapter=AdapterSettings() if arm == "base" else replace(ADAPTER, rank=rank, alpha=float(rank)),
            data=ADAPTER_DATA,
            train=settings,
            resume=True,
        )
    )
    return trained.output


def evaluate_arm(arguments: argparse.Namespace, arm: str, trained: Path, folder: Path) -> dict[str, float]:
    """SDRi in dB by item."""
    is_base = arm == "base"
    evaluate(
        EvaluateOptions(
            metadata_csv=arguments.table,
            audio_dir=arguments.audio_dir,
            base_checkpoint=str(trained) if is_base else arguments.base_checkpoint,
            encoder=arguments.encoder or arguments.base_checkpoint,  # "tiny" names an encoder, too
            adapters=() if is_base else (str(trained),),
            select=("base",) if is_base else (POLICY,),
            output=folder / "evaluation",
            report=False,
        )
    )
    scores = read_run(folder / "evaluation").scores
    chosen = scores[scores["condition"] == ("base" if is_base else POLICY)]
    return dict(zip(chosen["idx"], chosen["sdri"], strict=True))


def mean_with_interval(values: Sequence[float]) -> str:
    """A mean of values in dB, with its 95% interval."""
    samples = bootstrap("mean", np.array(values)[:, None], [])
    low, high = interval(samples[:, 0])
    return f"{np.mean(values):+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("partition", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--audio-dir", type=Path)
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps of each domain's adapter")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 1 on")
    parser.add_argument("--arms", default=",".join(ARMS), help="those to train, of " + ", ".join(ARMS))
    parser.add_argument("--base-checkpoint", default="tiny")
    parser.add_argument("--encoder")
    arguments = parser.parse_args()
    quieten(verbose=False)
    arms = asked_arms(arguments.arms)
    differences: dict[str, dict[str, list[float]]] = {arm: defaultdict(list) for arm in arms}  # by arm and item
    for seed in range(1, 1 + arguments.seeds):
        results = {}
        for arm in arms:
            folder = arguments.output / f"{arm}{seed}"
            results[arm] = evaluate_arm(arguments, arm, train_arm(arguments, arm, seed, folder), folder)
            line = f"seed {seed}, {ARMS[arm]}: SDRi {np.mean(list(results[arm].values())):.2f} dB"
            if arm != arms[0]:
                paired = {idx: results[arm][idx] - sdri for idx, sdri in results[arms[0]].items()}
                for idx, difference in paired.items():
                    differences[arm][idx].append(difference)
                line += f", {mean_with_interval(list(paired.values()))} dB against {ARMS[arms[0]]}"
            print(line, flush=True)
    if arguments.seeds > 1:
        for arm in arms[1:]:
            # The seeds of a mixture are not independent: each mixture counts once, by its mean over the seeds.
            by_mixture = [float(np.mean(values)) for values in differences[arm].values()]
            print(f"all seeds, {ARMS[arm]}: {mean_with_interval(by_mixture)} dB against {ARMS[arms[0]]}")


def asked_arms(names: str) -> list[str]:
    """The arms of a comma-separated list; the first is the one that the others are compared with."""
    arms = names.split(",")
    unknown = [arm for arm in arms if arm not in ARMS]
    if unknown:
        raise SystemExit(f"--arms {unknown[0]}: must be one of {', '.join(ARMS)}")
    return arms


if __name__ == "__main__":
    main()
