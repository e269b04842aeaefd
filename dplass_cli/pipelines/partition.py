"""``dplass partition``: a manifest in, domains with centroids, training manifests and validation mixtures out."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.data.prepare.audioset_lists import read_class_labels
from dplass_cli.domains.clustering import check_enough, cluster
from dplass_cli.domains.features import (
    CaptionFeatures,
    Features,
    IntArray,
    caption_features,
    rows_sha256,
    sorted_rows,
)
from dplass_cli.domains.imported import Assignment, assign, read_categories
from dplass_cli.domains.methods import Method, check_method
from dplass_cli.domains.partition_folder import PARTITION_FILE, Partition, build_partition
from dplass_cli.domains.quality import Quality, choose, qualities, quality
from dplass_cli.domains.validation import Split, split_rows, validation_mixtures
from dplass_cli.encoders.cache import EmbeddingCache, check_encoder
from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.pipelines.models import EncoderOptions
from dplass_cli.records import write_rows
from dplass_cli.reports.partition_report import PartitionReport, write_report
from dplass_cli.reports.projection import Projection, check_projection
from dplass_cli.storage import Progress, make_folder, no_progress, remove_file

_log = logging.getLogger(__name__)

_LARGEST_SEED = 2**31 - 1
_FEWEST_AUTO = 3
_SWALLOWED = 0.8
_OWN_FILES = re.compile(rf"{re.escape(PARTITION_FILE)}|domain\d+\.json|val\d+\.csv|quality\.(csv|png)")


@dataclass(frozen=True)
class PartitionOptions(EncoderOptions):
    """What ``partition`` needs to know; the encoder as :class:`~dplass_cli.pipelines.models.EncoderOptions`.

    Attributes:
        manifest: the rows to partition.
        output: the partition folder to write.
        domains: how many, or ``auto`` for the number that suits the captions best, of 2 … 15; an imported partition and
            ``hdbscan`` have their own number.
        method: of clustering.
        features: partition by what the captions sound like, by what they say, or by both.
        weight: all captions weigh the same (as published), or each as many clips as it has.
        import_file: a published partition to adopt instead of clustering.
        labels: AudioSet's list of classes, by which rows' machine ids match an imported partition.
        report: judge 2 … 15 domains, not only the number that is made.
        map: how the map lays captions out.
        seed: of k-means, the split and the mixtures.
        val_fraction: the part of the clip ids that is held out, between 0 and 1.
        val_mixtures: validation mixtures a domain, at most.
        cache: folder of audio embeddings that are taken and kept, such as ``embed`` fills; None keeps none.

    Raises:
        InputError: a number is out of range.
    """

    manifest: Path = field(metadata={"given": "a manifest, such as train.json,"})
    output: Path
    domains: int | Literal["auto"] = 7
    method: Method = "kmeans"
    features: Features = "audio"
    weight: Literal["captions", "clips"] = "captions"
    import_file: Path | None = None
    labels: Path | None = None
    report: bool = False
    map: Projection = "tsne"
    seed: int = 42
    val_fraction: float = 0.1
    val_mixtures: int = 20
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.domains != "auto" and self.domains < 1:
            raise InputError(f"--domains must be auto or at least 1, not {self.domains}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"--{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if self.report and (self.method == "hdbscan" or self.import_file):
            has = "an imported partition has" if self.import_file else "--method hdbscan finds"
            raise InputError(f"{has} its own number of domains; leave --report out")
        if self.labels and not self.import_file:
            raise InputError("--labels names rows' labels for an imported partition; give --import, or leave it out")
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise InputError(f"--seed must be between 0 and {_LARGEST_SEED}, not {self.seed}")
        if not 0.0 < self.val_fraction < 1.0:
            raise InputError(f"--val-fraction must be more than 0 and less than 1, not {self.val_fraction}")
        if self.val_mixtures < 1:
            raise InputError(f"--val-mixtures must be at least 1, not {self.val_mixtures}")


_CHOICES: dict[str, tuple[str, ...]] = {
    "features": get_args(Features),
    "method": get_args(Method),
    "weight": ("captions", "clips"),
    "map": get_args(Projection),
}


@dataclass(frozen=True)
class PartitionResult:
    """What was written.

    Attributes:
        folder: the partition folder.
        partition: its domains and centroids.
        training_rows, validation_mixtures: counts by domain id.
        quality: how well this number of domains fits.
        numbers: the same of 2 … 15 domains, where they were judged.
        unmatched: captions that an imported partition does not know and that went to the nearest domain.
    """

    folder: Path
    partition: Partition
    training_rows: dict[int, int]
    validation_mixtures: dict[int, int]
    quality: Quality
    numbers: tuple[Quality, ...]
    unmatched: tuple[str, ...]


def partition(options: PartitionOptions, progress: Progress = no_progress) -> PartitionResult:
    """Partition a manifest's captions into domains and write the partition folder.

    The same data give the same bytes, whatever the order of the rows. ``partition.json`` is written last.

    Raises:
        InputError: unusable manifest, clip, encoder, import file or output folder, or too few captions.
    """
    _refuse_its_own(options)
    categories = read_categories(options.import_file) if options.import_file else None
    if categories is None:
        check_method(options.method, options.weight == "clips")
    check_projection(options.map)
    encoder = options.load_encoder()
    if options.cache is not None:
        check_encoder(options.cache, encoder)
    rows = sorted_rows(read_manifest(options.manifest))
    if categories is None and options.method != "hdbscan":
        check_enough(len({row.caption for row in rows}), _FEWEST_AUTO if options.domains == "auto" else options.domains)
    labels = _labels_by_caption(rows, options) if categories else {}
    make_folder(options.output)
    cache = EmbeddingCache(options.cache, encoder) if options.cache else None
    features = caption_features(rows, encoder, progress, cache)
    numbers = _numbers(features, options, progress) if categories is None else []
    placed = _place(features, categories, labels, numbers, options)
    result = build_partition(
        features,
        placed.ids,
        encoder,
        options.features,
        placed.clipless,
        settings=_settings(options, placed),
        seed=options.seed,
        rows_sha256=rows_sha256(rows),
    )
    by_domain = _rows_by_domain(rows, features.captions, placed.ids, result)
    split = split_rows(by_domain, options.val_fraction, options.seed)
    mixtures = validation_mixtures(split, options.val_mixtures, options.seed)
    made = PartitionResult(
        folder=options.output,
        partition=result,
        training_rows={domain: len(kept) for domain, kept in split.training.items()},
        validation_mixtures={domain: len(chosen) for domain, chosen in mixtures.items()},
        quality=_own_quality(features, placed.ids, numbers, options),
        numbers=tuple(numbers),
        unmatched=placed.unmatched,
    )
    _write(options, made, split, mixtures, features, placed, by_domain)
    return made


def _numbers(features: CaptionFeatures, options: PartitionOptions, progress: Progress) -> list[Quality]:
    """Judge numbers of domains, where that is asked for."""
    if options.method == "hdbscan" or not (options.report or options.domains == "auto"):
        return []
    weights = features.clips.astype(np.float64) if options.weight == "clips" else None
    also = None if options.domains == "auto" else options.domains
    rows = qualities(features.of(options.features), weights, options.method, options.seed, also, progress)
    if not rows and options.domains == "auto":
        raise InputError(
            f"--domains auto needs captions with at least {_FEWEST_AUTO} different features; give --domains a number"
        )
    return rows


def _own_quality(
    features: CaptionFeatures, ids: IntArray, numbers: Sequence[Quality], options: PartitionOptions
) -> Quality:
    own = quality(features.of(options.features), ids, options.seed)
    known = next((row for row in numbers if row.domains == own.domains), own)
    return replace(own, seeds=known.seeds, bootstrap=known.bootstrap)


def _labels_by_caption(rows: Sequence[Row], options: PartitionOptions) -> dict[str, Counter[str]]:
    """How many clips of each caption have each label; machine ids are named where --labels is given."""
    names = read_class_labels(options.labels) if options.labels else {}
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counted[row.caption].update(names.get(label, label) for label in row.labels)
    return counted


def _place(
    features: CaptionFeatures,
    categories: dict[int, tuple[str, ...]] | None,
    labels: Mapping[str, Counter[str]],
    numbers: Sequence[Quality],
    options: PartitionOptions,
) -> Assignment:
    if categories is not None:
        assert options.import_file is not None
        return assign(features, categories, options.import_file, options.features, labels)
    domains = choose(numbers) if options.domains == "auto" and numbers else options.domains
    ids = cluster(
        features.of(options.features),
        features.captions,
        features.clips,
        1 if domains == "auto" else domains,  # hdbscan: not used
        options.seed,
        options.weight == "clips",
        options.method,
    )
    return Assignment(ids, (), {})


def _settings(options: PartitionOptions, placed: Assignment) -> dict[str, Any]:
    return {
        "domains": len({*placed.ids.tolist(), *placed.clipless}),
        "auto": options.import_file is None and (options.domains == "auto" or options.method == "hdbscan"),
        "method": "imported" if options.import_file else options.method,
        "features": options.features,
        "weight": options.weight,
        "imported": options.import_file.name if options.import_file else None,
        "val_fraction": options.val_fraction,
        "val_mixtures": options.val_mixtures,
    }


def _rows_by_domain(
    rows: Sequence[Row], captions: Sequence[str], ids: IntArray, result: Partition
) -> dict[int, list[Row]]:
    domain_of = dict(zip(captions, ids.tolist(), strict=True))
    by_domain: dict[int, list[Row]] = {domain.id: [] for domain in result.domains}
    for row in rows:
        by_domain[domain_of[row.caption]].append(row)
    return by_domain


def _write(
    options: PartitionOptions,
    made: PartitionResult,
    split: Split,
    mixtures: Mapping[int, Sequence[Mixture]],
    features: CaptionFeatures,
    placed: Assignment,
    by_domain: Mapping[int, Sequence[Row]],
) -> None:
    """Write the folder; ``partition.json`` last, so that a killed run leaves no folder that looks whole."""
    folder = options.output
    _clear(folder)
    for domain, rows in split.training.items():
        write_manifest(folder / f"domain{domain}.json", rows)
        write_mixtures(folder / f"val{domain}.csv", mixtures[domain])
    if made.numbers:
        write_rows(folder / "quality.csv", to_mapping(made.numbers[0]), map(to_mapping, made.numbers))
    write_report(
        folder,
        PartitionReport(
            partition=made.partition,
            features=features,
            ids=placed.ids,
            kind=options.features,
            rows=by_domain,
            training_rows=made.training_rows,
            validation_mixtures=made.validation_mixtures,
            quality=made.quality,
            numbers=made.numbers,
            unmatched=made.unmatched,
            warnings=_warnings(made.partition),
            projection=options.map,
        ),
    )
    made.partition.save(folder)


def _refuse_its_own(options: PartitionOptions) -> None:
    """Refuse inputs that are an earlier partition's own files, which go when this one is written."""
    for path in (options.manifest, options.import_file, options.labels):
        if path and path.resolve().parent == options.output.resolve() and _OWN_FILES.fullmatch(path.name):
            raise InputError(f"--output {options.output}: would write over {path}, which it is made of; give another")


def _clear(folder: Path) -> None:
    """Remove what an earlier partition wrote: it may have had more domains. ``partition.json`` goes first."""
    for path in (folder / PARTITION_FILE, *folder.iterdir()):
        if _OWN_FILES.fullmatch(path.name):
            remove_file(path)


def _warnings(result: Partition) -> list[str]:
    """Say where one domain has swallowed nearly everything, which leaves little for the others to learn."""
    if len(result.domains) < 2:
        return []
    warnings = []
    for what, sizes in (
        ("clips", {domain.id: domain.clips for domain in result.domains}),
        ("captions", {domain.id: len(domain.captions) for domain in result.domains}),
    ):
        largest = max(sizes, key=lambda id: sizes[id])
        share = sizes[largest] / max(sum(sizes.values()), 1)
        if share > _SWALLOWED:
            warnings.append(
                f"domain {largest} holds {share:.0%} of the {what}; try other --features, another --method, more"
                " --domains or --domains auto, or --weight clips"
            )
    for warning in warnings:
        _log.warning("%s", warning)
    return warnings
