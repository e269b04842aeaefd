"""Partitions: domains of captions with their centroids, and the folder that stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dplass_cli.domains.features import CaptionFeatures, FloatArray, IntArray, text_features, unit
from dplass_cli.domains.naming import TYPICAL, nearest, titles
from dplass_cli.encoders.base import QueryEncoder, space_of
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import Features
from dplass_cli.storage import read_json, require_file, require_folder, write_json
from dplass_cli.versions import versions
from dplass_cli.weights.checkpoint_files import read_tensors, write_safetensors

PARTITION_FILE = "partition.json"
CENTROIDS_FILE = "centroids.safetensors"


@dataclass(frozen=True)
class Domain:
    """One domain of sound.

    Attributes:
        id: its number.
        name: a short title made of words of its captions.
        captions: all its captions.
        clips: the number of its rows.
        typical: the captions nearest to its centroid.
    """

    id: int
    name: str
    captions: tuple[str, ...]
    clips: int
    typical: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Partition:
    """Domains of sound, with the centroids that assign queries and recordings to them.

    Attributes:
        domains: K domains by ascending id.
        audio_centroids: float32 (K, D), unit norm: the mean direction of the captions' audio features.
        text_centroids: float32 (K, D), unit norm: the mean direction of the captions' text embeddings.
        encoder_name: the encoder that computed the features.
        encoder_fingerprint: its fingerprint.
        settings: the settings that it was made with.
        seed: seed of the clustering and of the validation split.
        rows_sha256: hash of the manifest's rows.
        versions: versions of the programs that made it.
    """

    domains: tuple[Domain, ...]
    audio_centroids: Tensor
    text_centroids: Tensor
    encoder_name: str
    encoder_fingerprint: str
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    rows_sha256: str = ""
    versions: dict[str, str] = field(default_factory=lambda: versions("numpy", "scikit-learn", "torch"))

    def save(self, folder: Path | str) -> None:
        """Write ``centroids.safetensors`` (``audio``, ``text``) and ``partition.json`` into ``folder``, atomically."""
        centroids = {"audio": self.audio_centroids, "text": self.text_centroids}
        write_safetensors(Path(folder) / CENTROIDS_FILE, centroids, {})
        write_json(Path(folder) / PARTITION_FILE, self._description())

    def _description(self) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "seed": self.seed,
            "rows_sha256": self.rows_sha256,
            "versions": self.versions,
            "encoder": {"name": self.encoder_name, "fingerprint": self.encoder_fingerprint},
            "domains": [
                {
                    "id": domain.id,
                    "name": domain.name,
                    "typical": list(domain.typical),
                    "counts": {"captions": len(domain.captions), "clips": domain.clips},
                    "captions": list(domain.captions),
                }
                for domain in self.domains
            ],
        }


def build_partition(
    features: CaptionFeatures,
    ids: IntArray,
    encoder: QueryEncoder,
    kind: Features = "audio",
    clipless: Mapping[int, Sequence[str]] | None = None,
    **described: Any,
) -> Partition:
    """Name domains and compute their centroids.

    Args:
        ids: int64 (C,), the domain of each caption.
        kind: the features that decide which captions are typical of a domain.
        clipless: {domain id: captions that no clip has}, which have text features only. The text centroid of a domain
            that has no other captions is its audio centroid too.
        described: ``settings``, ``seed`` and ``rows_sha256`` of the partition.
    """
    clipless = {id: tuple(captions) for id, captions in (clipless or {}).items() if captions}
    found = [
        _domain(id, features, ids == id, clipless.get(id, ()), encoder, kind)
        for id in sorted({*np.unique(ids).tolist(), *clipless})
    ]
    clips = dict(zip(features.captions, features.clips.tolist(), strict=True))
    names = titles([{caption: clips.get(caption, 1) for caption in domain.typical} for domain, _, _ in found])
    return Partition(
        domains=tuple(
            replace(domain, name=name, typical=domain.typical[:TYPICAL])
            for (domain, _, _), name in zip(found, names, strict=True)
        ),
        audio_centroids=torch.from_numpy(np.stack([audio for _, audio, _ in found])).float(),
        text_centroids=torch.from_numpy(np.stack([text for _, _, text in found])).float(),
        encoder_name=encoder.name,
        encoder_fingerprint=space_of(encoder),
        **described,
    )


def mean_direction(vectors: FloatArray) -> FloatArray:
    """Return the mean of vectors (N, D), scaled to unit norm: (D,)."""
    return unit(vectors.mean(axis=0))


def _domain(
    id: int,
    features: CaptionFeatures,
    members: np.ndarray[Any, Any],
    clipless: Sequence[str],
    encoder: QueryEncoder,
    kind: Features,
) -> tuple[Domain, FloatArray, FloatArray]:
    """Return a domain (unnamed, all captions sorted as typical ones), its audio centroid and its text centroid."""
    with_clips = tuple(caption for caption, member in zip(features.captions, members, strict=True) if member)
    text = np.concatenate((features.text[members], text_features(clipless, encoder)))
    text_centroid = mean_direction(text)
    audio_centroid = mean_direction(features.audio[members]) if with_clips else text_centroid
    vectors = features.of(kind)[members] if with_clips else text
    typical = nearest(with_clips or clipless, vectors, mean_direction(vectors))
    captions = tuple(sorted({*with_clips, *clipless}))
    return Domain(id, "", captions, int(features.clips[members].sum()), typical), audio_centroid, text_centroid


def read_partition(folder: Path | str) -> Partition:
    """Read a partition folder.

    Raises:
        InputError: a file is missing or damaged, lacks a key, or the centroids do not belong to the domains.
    """
    folder = require_folder(folder)
    path = folder / PARTITION_FILE
    if not path.is_file():
        raise InputError(f"{folder}: not a partition folder (no {PARTITION_FILE}); make one with 'dplass partition'")
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not the description of a partition; rerun 'dplass partition'")
    encoder = _get(content, "encoder", dict, path)
    domains = tuple(_read_domain(item, path) for item in _get(content, "domains", list, path))
    ids = [domain.id for domain in domains]
    if not ids or min(ids) < 0 or ids != sorted(set(ids)):
        raise InputError(f"{path}: domain ids must be unique, not negative and ascending; found {ids}")
    audio, text = _read_centroids(folder / CENTROIDS_FILE, len(domains))
    return Partition(
        domains=domains,
        audio_centroids=audio,
        text_centroids=text,
        encoder_name=_get(encoder, "name", str, path),
        encoder_fingerprint=_get(encoder, "fingerprint", str, path),
        settings=_get(content, "settings", dict, path),
        seed=_get(content, "seed", int, path),
        rows_sha256=_get(content, "rows_sha256", str, path),
        versions=_get(content, "versions", dict, path),
    )


def _read_domain(item: Any, path: Path) -> Domain:
    if not isinstance(item, dict):
        raise InputError(f"{path}: a domain is not an object; rerun 'dplass partition'")
    captions = _get(item, "captions", list, path)
    if not captions or not all(isinstance(caption, str) for caption in captions):
        raise InputError(f"{path}: the captions of a domain must be a list of texts with at least one")
    clips = _get(_get(item, "counts", dict, path), "clips", int, path)
    typical = tuple(str(caption) for caption in _get(item, "typical", list, path))
    return Domain(_get(item, "id", int, path), _get(item, "name", str, path), tuple(captions), clips, typical)


def _get(mapping: Mapping[str, Any], key: str, kind: type, path: Path) -> Any:
    if key not in mapping:
        raise InputError(f"{path}: {key!r} is missing; rerun 'dplass partition'")
    value = mapping[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{path}: {key!r} must be a JSON {_JSON[kind]}, not {value!r}")
    return value


_JSON = {dict: "object", list: "array", str: "string", int: "integer"}


def _read_centroids(path: Path, domains: int) -> tuple[Tensor, Tensor]:
    tensors, _ = read_tensors(require_file(path, remedy="rerun 'dplass partition'"))
    for key in ("audio", "text"):
        if key not in tensors:
            raise InputError(f"{path}: {key!r} is missing; rerun 'dplass partition'")
        centroids = tensors[key]
        if centroids.ndim != 2 or len(centroids) != domains or centroids.shape != tensors["audio"].shape:
            raise InputError(
                f"{path}: {key!r} has shape {list(centroids.shape)}, but {PARTITION_FILE} has {domains} domains;"
                " the two files belong to different partitions"
            )
        if not torch.isfinite(centroids).all():
            raise InputError(f"{path}: {key!r} contains NaN or infinity; the file is damaged")
    return tensors["audio"].float(), tensors["text"].float()
