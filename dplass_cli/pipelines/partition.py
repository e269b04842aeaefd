"""``dplass partition``: a manifest in, domains with centroids, training manifests and validation mixtures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.data.mixtures import Mixture, write_mixtures
from dplass_cli.devices import choose_device
from dplass_cli.domains.clustering import check_enough, cluster
from dplass_cli.domains.features import CaptionFeatures, IntArray, caption_features, rows_sha256, sorted_rows
from dplass_cli.domains.imported import Assignment, assign, read_categories
from dplass_cli.domains.partition import Partition, build_partition
from dplass_cli.domains.validation import Split, split_rows, validation_mixtures
from dplass_cli.encoders import load_encoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.errors import InputError
from dplass_cli.reports.plots import plot_clusters
from dplass_cli.storage import Progress, make_folder, no_progress

_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class PartitionOptions:
    """What ``partition`` needs to know.

    Attributes:
        manifest: the rows to partition.
        output: the partition folder to write.
        domains: how many; an imported partition has its own number.
        features: partition by what the captions sound like, by what they say, or by both.
        weight: all captions weigh the same (as published), or each as many clips as it has.
        encoder, tokenizer: as :func:`dplass_cli.encoders.load_encoder` takes them.
        import_file: a published partition to adopt instead of k-means.
        seed: of k-means, the split and the mixtures.
        val_fraction: the part of the clip ids that is held out, between 0 and 1.
        val_mixtures: validation mixtures a domain, at most.
        cache: folder of audio embeddings that are taken and kept, such as ``embed`` fills; None keeps none.
        trust_checkpoint: read a pickled encoder that holds more than weights; such files can run code.
        device: where the encoder runs.

    Raises:
        InputError: a number is out of range.
    """

    manifest: Path
    output: Path
    domains: int = 7
    features: Literal["audio", "text", "both"] = "audio"
    weight: Literal["captions", "clips"] = "captions"
    encoder: str = "tiny"
    tokenizer: Path | None = None
    import_file: Path | None = None
    seed: int = 42
    val_fraction: float = 0.1
    val_mixtures: int = 20
    cache: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.domains < 1:
            raise InputError(f"--domains must be at least 1, not {self.domains}")
        if self.features not in ("audio", "text", "both"):
            raise InputError(f"--features must be audio, text or both, not {self.features!r}")
        if self.weight not in ("captions", "clips"):
            raise InputError(f"--weight must be captions or clips, not {self.weight!r}")
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise InputError(f"--seed must be between 0 and {_LARGEST_SEED}, not {self.seed}")
        if not 0.0 < self.val_fraction < 1.0:
            raise InputError(f"--val-fraction must be more than 0 and less than 1, not {self.val_fraction}")
        if self.val_mixtures < 1:
            raise InputError(f"--val-mixtures must be at least 1, not {self.val_mixtures}")


@dataclass(frozen=True)
class PartitionResult:
    """What was written.

    Attributes:
        folder: the partition folder.
        partition: its domains and centroids.
        training_rows, validation_mixtures: counts by domain id.
        unmatched: captions that an imported partition does not know and that went to the nearest domain.
    """

    folder: Path
    partition: Partition
    training_rows: dict[int, int]
    validation_mixtures: dict[int, int]
    unmatched: tuple[str, ...]


def partition(options: PartitionOptions, progress: Progress = no_progress) -> PartitionResult:
    """Partition a manifest's captions into domains and write the partition folder.

    The same data give the same bytes, whatever the order of the rows. ``partition.json`` is written last.

    Raises:
        InputError: unusable manifest, clip, encoder, import file or output folder, or too few captions.
    """
    rows = sorted_rows(read_manifest(options.manifest))
    categories = read_categories(options.import_file) if options.import_file else None
    if categories is None:
        check_enough(len({row.caption for row in rows}), options.domains)
    make_folder(options.output)
    device = choose_device(options.device)
    encoder = load_encoder(options.encoder, options.tokenizer, device, options.trust_checkpoint)
    cache = EmbeddingCache(options.cache, encoder) if options.cache else None
    features = caption_features(rows, encoder, progress, cache)
    placed = _place(features, categories, options)
    result = build_partition(
        features,
        placed.ids,
        encoder,
        options.features,
        placed.clipless,
        settings=_settings(options, categories),
        seed=options.seed,
        rows_sha256=rows_sha256(rows),
    )
    split = split_rows(_rows_by_domain(rows, features.captions, placed.ids, result), options.val_fraction, options.seed)
    mixtures = validation_mixtures(split, options.val_mixtures, options.seed)
    _write(options.output, split, mixtures)
    plot_clusters(options.output / "clusters.png", features, placed.ids, result.domains, options.features)
    result.save(options.output)
    return PartitionResult(
        folder=options.output,
        partition=result,
        training_rows={domain: len(kept) for domain, kept in split.training.items()},
        validation_mixtures={domain: len(chosen) for domain, chosen in mixtures.items()},
        unmatched=placed.unmatched,
    )


def _place(
    features: CaptionFeatures, categories: dict[int, tuple[str, ...]] | None, options: PartitionOptions
) -> Assignment:
    if categories is not None:
        assert options.import_file is not None
        return assign(features, categories, options.import_file, options.features)
    vectors = features.of(options.features)
    by_clips = options.weight == "clips"
    ids = cluster(vectors, features.captions, features.clips, options.domains, options.seed, by_clips)
    return Assignment(ids, (), {})


def _settings(options: PartitionOptions, categories: dict[int, tuple[str, ...]] | None) -> dict[str, Any]:
    return {
        "domains": options.domains if categories is None else len(categories),
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


def _write(folder: Path, split: Split, mixtures: dict[int, list[Mixture]]) -> None:
    for domain, rows in split.training.items():
        write_manifest(folder / f"domain{domain}.json", rows)
        write_mixtures(folder / f"val{domain}.csv", mixtures[domain])
