"""Published partitions: ``{"cluster0": {"cluster_id": 0, "categories_in_cluster": ["Bark", …]}, …}``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dplass_cli.domains.features import CaptionFeatures, FloatArray, IntArray, similarities
from dplass_cli.domains.partition_folder import mean_direction, read_partition
from dplass_cli.errors import InputError, shown, some
from dplass_cli.options.partition_options import Features
from dplass_cli.storage import read_json

Categories = Mapping[int, tuple[str, ...]]
_LARGEST_ID = 1_000_000


def read_categories(path: Path | str) -> dict[int, tuple[str, ...]]:
    """Read a published partition as {domain id: its categories}, by ascending id. The ids are kept.

    Raises:
        InputError: not such a file, or it has a domain without categories, a repeated id, or a category in two domains.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f'{path}: not a partition; expected {{"cluster0": {{"cluster_id": 0, …}}, …}}')
    domains: dict[int, tuple[str, ...]] = {}
    for key, item in content.items():
        id, categories = _entry(item, f"{path}: {key!r}")
        if id in domains:
            raise InputError(f"{path}: {key!r} repeats the 'cluster_id' {id}; give each domain its own")
        domains[id] = categories
    _domain_by_caption(domains, path)
    return dict(sorted(domains.items()))


def captions_of_domains(path: Path, ids: Sequence[int]) -> set[str]:
    """Return the captions of the domains ``ids`` of a partition folder or a published partition.

    Raises:
        InputError: not a partition, or it has no such domain.
    """
    if path.is_dir():
        domains = {domain.id: domain.captions for domain in read_partition(path).domains}
    else:
        domains = read_categories(path)
    unknown = [id for id in ids if id not in domains]
    if unknown:
        raise InputError(f"{path}: no domain {unknown[0]}; it has {some(domains, limit=20)}")
    return {caption for id in ids for caption in domains[id]}


def _entry(item: Any, where: str) -> tuple[int, tuple[str, ...]]:
    if not isinstance(item, dict):
        raise InputError(f"{where} is not an object with 'cluster_id' and 'categories_in_cluster'")
    for key in ("cluster_id", "categories_in_cluster"):
        if key not in item:
            raise InputError(f"{where} has no {key!r}; every domain needs 'cluster_id' and 'categories_in_cluster'")
    id, categories = item["cluster_id"], item["categories_in_cluster"]
    if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id <= _LARGEST_ID:
        raise InputError(f"{where}: 'cluster_id' must be a whole number from 0 to {_LARGEST_ID}, not {shown(id)}")
    if not isinstance(categories, list) or not all(isinstance(name, str) and name.strip() for name in categories):
        raise InputError(f"{where}: 'categories_in_cluster' must be a list of texts")
    if not categories:
        raise InputError(f"{where} has no categories; remove the domain or fill it")
    return id, tuple(name.strip() for name in categories)


def _domain_by_caption(domains: Categories, path: Path | str) -> dict[str, int]:
    found: dict[str, int] = {}
    for id, categories in domains.items():
        for category in categories:
            if found.setdefault(category.casefold(), id) != id:
                raise InputError(
                    f"{path}: {category!r} is in domain {found[category.casefold()]} and in domain {id};"
                    " keep it in one of them"
                )
    return found


def assign(
    features: CaptionFeatures,
    domains: Categories,
    path: Path | str,
    kind: Features = "audio",
    labels: Mapping[str, Counter[str]] | None = None,
) -> tuple[IntArray, tuple[str, ...], dict[int, tuple[str, ...]]]:
    """Assign captions to published domains: by name, else by the names of their labels, else to the nearest domain.

    Names match in any case. A caption whose labels are in several domains is assigned to the one with most of them (the
    lowest id on a tie). The nearest domain is the one whose matched captions have the mean feature most similar to the
    caption's.

    Args:
        domains: as :func:`read_categories` returns them.
        path: their file, for error messages.
        labels: {caption: {label name: number of its clips with the label}}.

    Returns:
        (the domain id int64 (C,) of each caption, captions that went to the nearest domain, {domain id: its categories
        that are not captions of the manifest}).

    Raises:
        InputError: no caption matches a category of the file.
    """
    known = _domain_by_caption(domains, path)
    ids = np.array([_match(caption, known, labels or {}) for caption in features.captions], dtype=np.int64)
    if (ids < 0).all():
        raise InputError(
            f"{path}: none of its categories ({some((name for names in domains.values() for name in names), 3)})"
            f" is a caption of the manifest ({some(features.captions, 3)}) or the name of one of its labels; import a"
            " partition of these captions, or give --labels class_labels_indices.csv, which names AudioSet's ids"
        )
    missing = ids < 0
    ids[missing] = _nearest_domains(features.of(kind), ids, missing)
    unmatched = tuple(caption for caption, lost in zip(features.captions, missing, strict=True) if lost)
    present = {caption.casefold() for caption in features.captions}
    clipless = {id: tuple(c for c in names if c.casefold() not in present) for id, names in domains.items()}
    return ids, unmatched, clipless


def _match(caption: str, known: Mapping[str, int], labels: Mapping[str, Counter[str]]) -> int:
    """The domain of a caption by name, else the one that most of its labels are in; -1 where there is none."""
    if (id := known.get(caption.casefold())) is not None:
        return id
    votes: Counter[int] = Counter()
    for label, clips in labels.get(caption, Counter()).items():
        if (id := known.get(label.casefold())) is not None:
            votes[id] += clips
    return min(votes, key=lambda id: (-votes[id], id), default=-1)


def _nearest_domains(vectors: FloatArray, ids: IntArray, missing: npt.NDArray[np.bool_]) -> IntArray:
    used = np.unique(ids[~missing])
    centroids = np.stack([mean_direction(vectors[ids == id]) for id in used])
    chosen: IntArray = used[similarities(vectors[missing], centroids).argmax(axis=1)]
    return chosen
