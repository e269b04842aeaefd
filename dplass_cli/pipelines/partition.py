"""``dplass partition``: a manifest in, domains with centroids, training manifests and validation mixtures out."""

from __future__ import annotations

from typing import Any

from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.prepare.audioset_lists import read_class_labels
from dplass_cli.domains.clustering import check_method
from dplass_cli.domains.features import caption_features, rows_sha256, sorted_rows
from dplass_cli.domains.imported import assign, read_categories
from dplass_cli.domains.partition_folder import build_partition
from dplass_cli.domains.partitioning import (
    PartitionResult,
    check_captions,
    group_captions,
    imbalance_warnings,
    judge_numbers,
    labels_by_caption,
    quality_of,
    refuse_own_files,
    rows_by_domain,
    write_domain_files,
)
from dplass_cli.domains.quality import Quality
from dplass_cli.domains.validation import split_rows, validation_mixtures
from dplass_cli.encoders import load_encoder_of
from dplass_cli.encoders.cache import EmbeddingCache, check_encoder
from dplass_cli.errors import InputError
from dplass_cli.extras import drawn
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.reports.partition_report import write_report
from dplass_cli.reports.projection import check_projection
from dplass_cli.storage import Progress, make_folder, no_progress


def partition(options: PartitionOptions, progress: Progress = no_progress) -> PartitionResult:
    """Partition a manifest's captions into domains and write the partition folder.

    The same data give the same bytes, whatever the order of the rows, but for the report, which names the date and the
    command. ``partition.json`` is written last.

    Raises:
        InputError: unusable manifest, clip, encoder, import file or output folder, or too few captions.
    """
    refuse_own_files(options.output, (options.manifest, options.import_file, options.labels))
    categories = read_categories(options.import_file) if options.import_file else None
    if categories is None:
        check_method(options.method, options.weight == "clips")
    check_projection(options.map)
    encoder = load_encoder_of(options.model)
    if options.features != "text" and not encoder.embeds_audio:
        raise InputError(f"--features {options.features}: the encoder {encoder.name} embeds sentences only; use text")
    if options.cache is not None:
        check_encoder(options.cache, encoder)
    rows = sorted_rows(read_manifest(options.manifest))
    if categories is None:
        check_captions(options, len({row.caption for row in rows}))
    label_names = read_class_labels(options.labels) if options.labels else {}
    make_folder(options.output)
    cache = EmbeddingCache(options.cache, encoder) if options.cache else None
    features = caption_features(rows, encoder, progress, cache)
    numbers: tuple[Quality, ...] = ()
    unmatched: tuple[str, ...] = ()
    clipless: dict[int, tuple[str, ...]] = {}
    if categories is None:
        if options.report or options.domains == "auto":
            numbers = judge_numbers(features, options, progress)
        ids = group_captions(features, options, numbers)
    else:
        labels = labels_by_caption(rows, label_names)
        ids, unmatched, clipless = assign(features, categories, str(options.import_file), options.features, labels)
    made = build_partition(
        features,
        ids,
        encoder,
        options.features,
        clipless,
        settings=_settings(options, len({*ids.tolist(), *clipless})),
        seed=options.seed,
        rows_sha256=rows_sha256(rows),
    )
    by_domain = rows_by_domain(rows, features.captions, ids, made)
    split = split_rows(by_domain, options.val_fraction, options.seed)
    mixtures = validation_mixtures(split, options.val_mixtures, options.seed)
    write_domain_files(options.output, split, mixtures, numbers)
    result = PartitionResult(
        folder=options.output,
        partition=made,
        training_rows={domain: len(kept) for domain, kept in split.training.items()},
        validation_mixtures={domain: len(chosen) for domain, chosen in mixtures.items()},
        quality=quality_of(features, options, ids, numbers),
        numbers=numbers,
        unmatched=unmatched,
    )
    if drawn("partition"):
        write_report(result, features, ids, by_domain, imbalance_warnings(made), options)
    made.save(options.output)
    return result


def _settings(options: PartitionOptions, domains: int) -> dict[str, Any]:
    return {
        "domains": domains,
        "auto": options.import_file is None and (options.domains == "auto" or options.method == "hdbscan"),
        "method": "imported" if options.import_file else options.method,
        "features": options.features,
        "weight": options.weight,
        "imported": options.import_file.name if options.import_file else None,
        "val_fraction": options.val_fraction,
        "val_mixtures": options.val_mixtures,
    }
