"""From caption features to the domain of each caption, and the files of a partition folder."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.domains.clustering import check_enough, cluster
from dplass_cli.domains.features import CaptionFeatures, FloatArray, IntArray
from dplass_cli.domains.methods import check_method
from dplass_cli.domains.partition_folder import PARTITION_FILE, Partition
from dplass_cli.domains.quality import Quality, choose, qualities, quality
from dplass_cli.domains.validation import Split
from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.partition_options import Features, Method
from dplass_cli.records import write_rows
from dplass_cli.storage import Progress, no_progress, remove_file

_log = logging.getLogger(__name__)

_MIN_FEATURES_FOR_AUTO = 3
_DOMINANT_SHARE = 0.8
_OWN_FILES = re.compile(rf"{re.escape(PARTITION_FILE)}|domain\d+\.json|val\d+\.csv|quality\.(csv|png)")


@dataclass(frozen=True)
class Grouping:
    """How captions are clustered.

    Attributes:
        domains: the number of domains, or ``auto`` for the best of 2 … 15. Not used by ``hdbscan``.
        method: the clustering method.
        features: the features that are clustered.
        by_clips: a caption weighs as many clips as it has; otherwise all captions weigh the same.
        seed: seed of the clustering.
    """

    domains: int | Literal["auto"]
    method: Method
    features: Features
    by_clips: bool
    seed: int

    def check(self) -> None:
        """Refuse what cannot work, before anything is read.

        Raises:
            InputError: the method does not take weights, or its library is missing.
        """
        check_method(self.method, self.by_clips)

    def check_captions(self, captions: int) -> None:
        """Refuse too few captions, before their clips are embedded.

        Raises:
            InputError: there are fewer distinct captions than domains.
        """
        if self.method != "hdbscan":
            check_enough(captions, _MIN_FEATURES_FOR_AUTO if self.domains == "auto" else self.domains)

    def weights(self, features: CaptionFeatures) -> FloatArray | None:
        """Return the weights float64 (C,) of captions, or None where all weigh the same."""
        return features.clips.astype(np.float64) if self.by_clips else None


def group_captions(features: CaptionFeatures, grouping: Grouping, numbers: Sequence[Quality]) -> IntArray:
    """Cluster captions into domains.

    Args:
        features: of C captions.
        grouping: how they are clustered.
        numbers: the quality of several numbers of domains, of which ``auto`` takes the best.

    Returns:
        The domain id int64 (C,) of each caption.

    Raises:
        InputError: there are too few captions, or captions with different features.
    """
    domains = grouping.domains
    if domains == "auto":
        domains = choose(numbers) if numbers else 1  # without numbers the method is hdbscan, which does not need it
    return cluster(
        features.of(grouping.features),
        features.captions,
        features.clips,
        domains,
        grouping.seed,
        grouping.by_clips,
        grouping.method,
    )


def judge_numbers(
    features: CaptionFeatures, grouping: Grouping, progress: Progress = no_progress
) -> tuple[Quality, ...]:
    """Measure the quality of 2 … 15 domains and of the number asked for; empty for ``hdbscan``, which finds its own.

    Raises:
        InputError: ``auto`` has too few different features to choose from.
    """
    if grouping.method == "hdbscan":
        return ()
    also = None if grouping.domains == "auto" else grouping.domains
    vectors, weights = features.of(grouping.features), grouping.weights(features)
    rows = qualities(vectors, weights, grouping.method, grouping.seed, also, progress)
    if not rows and grouping.domains == "auto":
        raise InputError(
            f"--domains auto needs captions with at least {_MIN_FEATURES_FOR_AUTO} different features; give --domains a"
            " number"
        )
    return tuple(rows)


def quality_of(
    features: CaptionFeatures, kind: Features, ids: IntArray, seed: int, numbers: Sequence[Quality]
) -> Quality:
    """Measure a partition; its stability is known where its number of domains was judged."""
    own = quality(features.of(kind), ids, seed)
    known = next((row for row in numbers if row.domains == own.domains), own)
    return replace(own, seeds=known.seeds, bootstrap=known.bootstrap)


def labels_by_caption(rows: Sequence[Row], names: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Count, for each caption, its clips with each label.

    Args:
        rows: the rows of a manifest.
        names: {machine id: class name}; other labels keep their ids.
    """
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counted[row.caption].update(names.get(label, label) for label in row.labels)
    return counted


def rows_by_domain(
    rows: Sequence[Row], captions: Sequence[str], ids: IntArray, partition: Partition
) -> dict[int, list[Row]]:
    """Return the rows of each domain of a partition, in their order; a domain may have none.

    Args:
        rows: the rows of a manifest.
        captions: its C distinct captions.
        ids: int64 (C,), the domain of each caption.
        partition: the domains.
    """
    domain_of = dict(zip(captions, ids.tolist(), strict=True))
    by_domain: dict[int, list[Row]] = {domain.id: [] for domain in partition.domains}
    for row in rows:
        by_domain[domain_of[row.caption]].append(row)
    return by_domain


def refuse_own_files(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse inputs that a partition of the folder consists of, because writing a new one would remove them.

    Raises:
        InputError: there is one.
    """
    for path in inputs:
        if path and path.resolve().parent == folder.resolve() and _OWN_FILES.fullmatch(path.name):
            raise InputError(f"--output {folder}: would overwrite the input {path}; give another folder")


def write_domain_files(
    folder: Path, split: Split, mixtures: Mapping[int, Sequence[Mixture]], numbers: Sequence[Quality]
) -> None:
    """Write the training manifest and the validation mixtures of each domain, and ``quality.csv`` where there is any.

    Files of an earlier partition, which may have had more domains, are removed first: ``partition.json`` before the
    others, so that a killed run never leaves a folder that looks complete.

    Raises:
        InputError: the folder cannot be written.
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
    for warning in warnings:
        _log.warning("%s", warning)
    return warnings
