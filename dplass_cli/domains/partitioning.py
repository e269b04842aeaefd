"""From caption features to the domain of each caption, and the files of a partition folder."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.domains.clustering import check_enough, cluster
from dplass_cli.domains.features import CaptionFeatures, IntArray
from dplass_cli.domains.partition_folder import PARTITION_FILE, Partition
from dplass_cli.domains.quality import Quality, choose, qualities, quality
from dplass_cli.domains.validation import Split
from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.records import write_rows
from dplass_cli.storage import Progress, no_progress, remove_file, resolved

_log = logging.getLogger(__name__)

_MIN_FEATURES_FOR_AUTO = 3
_DOMINANT_SHARE = 0.8
_OWN_FILES = re.compile(rf"{re.escape(PARTITION_FILE)}|domain\d+\.json|val\d+\.csv|quality\.(csv|png)")


@dataclass(frozen=True)
class PartitionResult:
    """Result of :func:`dplass_cli.pipelines.partition.partition`.

    Attributes:
        folder: the partition folder.
        partition: its domains and centroids.
        training_rows: {domain id: rows of its training manifest}.
        validation_mixtures: {domain id: its validation mixtures}.
        quality: quality of this partition.
        numbers: quality of 2 … 15 domains, where they were judged.
        unmatched: captions that an imported partition does not contain, and that were assigned to the nearest domain.
    """

    folder: Path
    partition: Partition
    training_rows: dict[int, int]
    validation_mixtures: dict[int, int]
    quality: Quality
    numbers: tuple[Quality, ...]
    unmatched: tuple[str, ...]


def check_captions(options: PartitionOptions, captions: int) -> None:
    """Refuse fewer distinct captions than domains, before their clips are embedded."""
    if options.method != "hdbscan":
        if options.domains == "auto" and captions < _MIN_FEATURES_FOR_AUTO:
            raise InputError(
                f"--domains auto needs at least {_MIN_FEATURES_FOR_AUTO} distinct captions, but the manifest has"
                f" {captions}; add captions, or give --domains a number"
            )
        if options.domains != "auto":
            check_enough(captions, options.domains)


def group_captions(features: CaptionFeatures, options: PartitionOptions, numbers: Sequence[Quality]) -> IntArray:
    """Cluster captions into domains: the domain id int64 (C,) of each; ``auto`` takes the best of ``numbers``.

    Raises:
        InputError: there are too few captions, or captions with different features.
    """
    domains = options.domains
    if domains == "auto":
        domains = choose(numbers) if numbers else 1  # without numbers the method is hdbscan, which does not need it
    return cluster(
        features.of(options.features),
        features.captions,
        features.clips,
        domains,
        options.seed,
        options.weight == "clips",
        options.method,
    )


def judge_numbers(
    features: CaptionFeatures, options: PartitionOptions, progress: Progress = no_progress
) -> tuple[Quality, ...]:
    """Measure the quality of 2 … 15 domains and of the number asked for; empty for ``hdbscan``, which finds its own.

    Raises:
        InputError: ``auto`` has too few different features to choose from.
    """
    if options.method == "hdbscan":
        return ()
    also = None if options.domains == "auto" else options.domains
    weights = features.clips.astype(np.float64) if options.weight == "clips" else None
    rows = qualities(features.of(options.features), weights, options.method, options.seed, also, progress)
    if not rows and options.domains == "auto":
        raise InputError(
            f"--domains auto needs captions with at least {_MIN_FEATURES_FOR_AUTO} different features; give --domains a"
            " number"
        )
    return tuple(rows)


def quality_of(
    features: CaptionFeatures, options: PartitionOptions, ids: IntArray, numbers: Sequence[Quality]
) -> Quality:
    """Measure a partition; its stability is known where its number of domains was judged."""
    own = quality(features.of(options.features), ids, options.seed)
    known = next((row for row in numbers if row.domains == own.domains), own)
    return replace(own, seeds=known.seeds, bootstrap=known.bootstrap)


def labels_by_caption(rows: Sequence[Row], names: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Count, for each caption, its clips with each label; ``names`` is {machine id: class name}."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counted[row.caption].update(names.get(label, label) for label in row.labels)
    return counted


def rows_by_domain(
    rows: Sequence[Row], captions: Sequence[str], ids: IntArray, partition: Partition
) -> dict[int, list[Row]]:
    """Return the rows of each domain, in their order; ``ids`` (C,) are the domains of the C distinct captions."""
    domain_of = dict(zip(captions, ids.tolist(), strict=True))
    by_domain: dict[int, list[Row]] = {domain.id: [] for domain in partition.domains}
    for row in rows:
        by_domain[domain_of[row.caption]].append(row)
    return by_domain


def refuse_own_files(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse inputs that a partition of the folder consists of, because writing a new one would remove them."""
    for path in inputs:
        if path and resolved(path).parent == resolved(folder) and _OWN_FILES.fullmatch(path.name):
            raise InputError(f"--output {folder}: would overwrite the input {path}; give another folder")


def write_domain_files(
    folder: Path, split: Split, mixtures: Mapping[int, Sequence[Mixture]], numbers: Sequence[Quality]
) -> None:
    """Write the training manifest and the validation mixtures of each domain, and ``quality.csv`` where there is any.

    Files of an earlier partition, which may have had more domains, are removed first: ``partition.json`` before the
    others, so that a killed run never leaves a folder that looks complete.
    """
    for path in (folder / PARTITION_FILE, *folder.iterdir()):
        if _OWN_FILES.fullmatch(path.name):
            remove_file(path)
    for domain, rows in split.training.items():
        write_manifest(folder / f"domain{domain}.json", rows)
        write_mixtures(folder / f"val{domain}.csv", mixtures[domain])
    if numbers:
        write_rows(folder / "quality.csv", to_mapping(numbers[0]), map(to_mapping, numbers))


def imbalance_warnings(partition: Partition) -> list[str]:
    """Return, and log, a warning where one domain has nearly all clips or captions: the others have little to learn."""
    if len(partition.domains) < 2:
        return []
    warnings = []
    for what, sizes in (
        ("clips", {domain.id: domain.clips for domain in partition.domains}),
        ("captions", {domain.id: len(domain.captions) for domain in partition.domains}),
    ):
        largest = max(sizes, key=lambda id: sizes[id])
        share = sizes[largest] / max(sum(sizes.values()), 1)
        if share > _DOMINANT_SHARE:
            warnings.append(
                f"domain {largest} has {share:.0%} of the {what}; try other --features, another --method, more"
                " --domains or --domains auto, or --weight clips"
            )
            _log.warning("%s", warnings[-1])
    return warnings
