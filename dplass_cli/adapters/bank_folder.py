"""The bank folder: one adapter per domain, and what is known of the domains. Finding and listing adapters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dplass_cli.adapters.adapter_folder import (
    DESCRIPTION,
    STATISTICS,
    WEIGHTS,
    AdapterInfo,
    LoadedAdapter,
    load_adapter,
    read_description,
)
from dplass_cli.adapters.dplass_format import from_published, read_published
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel
from dplass_cli.options.parse import from_mapping
from dplass_cli.resources import bundled_or_path
from dplass_cli.storage import make_folder, read_json, remove_file, require_file, resolved, write_json
from dplass_cli.weights.checkpoint_files import read_tensors, write_safetensors
from dplass_cli.weights.hub import fetch_from_hub, is_hub_address

BANK, _CENTROIDS = "bank.json", "centroids.safetensors"
_FORMAT = "dplass-bank-1"
SHARED_FILES = tuple(f"{folder}{name}" for folder in ("", "*/") for name in (WEIGHTS, DESCRIPTION, BANK, _CENTROIDS))
"""The files of a bank or adapter folder, as patterns."""


@dataclass(frozen=True)
class BankDomain:
    """A domain that the bank has an adapter for.

    Attributes:
        id: its number in the partition.
        name: its name.
        captions: the captions that belong to it.
        text_centroid: mean direction of the captions' text embeddings, float32 (D,).
        audio_centroid: mean direction of the clips' audio embeddings, float32 (D,).
        sdri_gain_db: cross-validated SDRi of the adapter minus the base's on this domain, dB; 0 where not measured.
    """

    id: int
    name: str
    captions: tuple[str, ...]
    text_centroid: Tensor
    audio_centroid: Tensor
    sdri_gain_db: float = 0.0


def bank_key(domain: int) -> str:
    """The key of a domain's adapter in a bank, and the name of its folder."""
    return f"domain{domain}"


def bank_place(path: Path | str) -> Path:
    """The folder of a bank given by its path, as ``tiny``, the bundled one, or by its address on the Hub (fetched)."""
    if is_hub_address(path):
        return fetch_from_hub(str(path))[0]
    return bundled_or_path(path, "bank")


def find_adapters(path: Path | str) -> dict[str, Path]:
    """Find adapters in any form that a bank loads: {key: folder or published file}; InputError if there are none."""
    path = bank_place(path)
    if (path / BANK).is_file():
        places = {key: path / key for key in read_bank(path)}
        for place in places.values():
            if not (place / DESCRIPTION).is_file():
                raise InputError(f"{place}: no such adapter folder, but {path / BANK} lists it; restore it or train it")
        return places
    if (path / DESCRIPTION).is_file():
        return {resolved(path).name: path}
    if path.is_dir():
        found = {child.name: child for child in sorted(path.iterdir()) if (child / DESCRIPTION).is_file()}
        if found:
            return found
    elif path.is_file():
        return {published_key(path): path}
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path of the adapters")
    if (path / "bank" / BANK).is_file():
        raise InputError(f"{path}: is a training workspace; use its bank, {path / 'bank'}")
    raise InputError(
        f"{path}: contains no bank ({BANK}), adapter folder ({DESCRIPTION}) or published adapter file; use a"
        " folder that train wrote"
    )


def read_adapter(place: Path, network: BaseModel, base_sha256: str, trust: bool = False) -> LoadedAdapter:
    """Read an adapter folder or published file; InputError if it is damaged or belongs to another base."""
    if place.is_dir():
        return load_adapter(place, network, base_sha256)
    return from_published(read_published(place, trust), network, base_sha256)


def stored_bytes(place: Path) -> int:
    """Bytes of an adapter folder or a published file."""
    return sum(file.stat().st_size for file in place.iterdir()) if place.is_dir() else place.stat().st_size


def published_key(path: Path) -> str:
    """The key of a published file: its cluster where the file name contains one, otherwise its name."""
    cluster = re.search(r"cluster(\d+)", path.stem)
    return bank_key(int(cluster[1])) if cluster else path.stem


@dataclass(frozen=True)
class ListedAdapter:
    """An adapter in a list.

    Attributes:
        key: its key in a bank.
        path: its folder, or its DP-LASS file.
        info: its description.
        parameters: number of its parameters.
        size: bytes on disk.
    """

    key: str
    path: Path
    info: AdapterInfo
    parameters: int
    size: int


def list_adapters(paths: Iterable[Path], trust: bool = False) -> list[ListedAdapter]:
    """List adapters, whose base is not needed; InputError if a path contains none, or a damaged one."""
    listed = []
    for path in paths:
        for key, place in find_adapters(path).items():
            if place.is_dir():
                tensors = read_tensors(place / WEIGHTS)[0]
                count = sum(tensor.numel() for name, tensor in tensors.items() if not name.startswith(STATISTICS))
                listed.append(ListedAdapter(key, place, read_description(place), count, stored_bytes(place)))
            else:
                published = read_published(place, trust)
                count = sum(tensor.numel() for named in published.tensors.values() for tensor in named.values())
                info = AdapterInfo(published.method, {}, "", {}, training={"notes": list(published.notes)})
                listed.append(ListedAdapter(key, place, info, count, stored_bytes(place)))
    return listed


def single_adapter(path: Path) -> Path:
    """The folder or file of the only adapter at a path; InputError if there are none or several."""
    found = find_adapters(path)
    if len(found) > 1:
        names = some([str(place) for place in found.values()], 9)
        raise InputError(f"{path}: contains {len(found)} adapters; name one of {names}")
    return next(iter(found.values()))


def load_single_adapter(path: Path, network: BaseModel, trust: bool = False) -> LoadedAdapter:
    """Load the only adapter at a path; InputError if there are none or several, or it belongs to another base."""
    return read_adapter(single_adapter(path), network, network.sha256(), trust)


@dataclass(frozen=True)
class _Entry:
    """A domain in ``bank.json``; version 0.1 called ``sdri_gain_db`` ``gain_db``."""

    id: int
    name: str
    captions: tuple[str, ...]
    sdri_gain_db: float = 0.0
    gain_db: float | None = None

    @property
    def gain(self) -> float:
        return self.sdri_gain_db if self.gain_db is None else self.gain_db


@dataclass(frozen=True)
class _Described:
    domains: tuple[_Entry, ...]


def read_bank(folder: Path | str) -> dict[str, BankDomain]:
    """Read the description of a bank's domains, in their order: {key: domain}; InputError if it is damaged."""
    folder = Path(folder)
    content = read_json(folder / BANK)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(
            f"{folder / BANK}: not a bank description (expected format {_FORMAT!r}); use a folder that train wrote"
        )
    described = from_mapping(_Described, {"domains": content.get("domains")}, str(folder / BANK)).domains
    centroids, _ = read_tensors(require_file(folder / _CENTROIDS, remedy="train or import the bank again"))
    text, audio = (centroids.get(name) for name in ("text", "audio"))
    if text is None or audio is None or text.ndim != 2 or text.shape != audio.shape or len(text) != len(described):
        raise InputError(
            f"{folder}: {_CENTROIDS} does not contain two centroids for each of the {len(described)} domains in {BANK};"
            " train or import the bank again"
        )
    if not (text.isfinite().all() and audio.isfinite().all()):
        raise InputError(f"{folder / _CENTROIDS}: contains values that are not finite; train or import the bank again")
    if len({entry.id for entry in described}) != len(described) or any(entry.id < 0 for entry in described):
        raise InputError(f"{folder / BANK}: domain ids must be unique and at least 0; train or import the bank again")
    return {
        bank_key(entry.id): BankDomain(
            entry.id, entry.name, entry.captions, text[row].float(), audio[row].float(), entry.gain
        )
        for row, entry in enumerate(described)
    }


def write_bank(folder: Path | str, domains: Sequence[BankDomain], description: Mapping[str, Any]) -> None:
    """Write the description of a bank's domains; their adapters are in the sub-folders named by :func:`bank_key`."""
    folder = Path(folder)
    centroids = {
        "text": torch.stack([domain.text_centroid for domain in domains]),
        "audio": torch.stack([domain.audio_centroid for domain in domains]),
    }
    entries = [
        {"id": d.id, "name": d.name, "captions": list(d.captions), "sdri_gain_db": d.sdri_gain_db} for d in domains
    ]
    make_folder(folder)
    remove_file(folder / BANK)  # an earlier description would not match the new centroids
    write_safetensors(folder / _CENTROIDS, centroids, {"format": _FORMAT})
    write_json(folder / BANK, {"format": _FORMAT, **description, "domains": entries})


def write_partition_bank(
    folder: Path | str, partition: Partition, base_sha256: str, new_keys: Collection[str], **more: Any
) -> None:
    """Describe the domains of a partition whose adapters are in a bank folder and belong to a base.

    The measured gains of adapters that are not new are kept; ``more`` are further entries of the description.

    Raises:
        InputError: as :func:`measured_gains`, or the folder cannot be written.
        RunError: the disk is full.
    """
    folder = Path(folder)
    gains = measured_gains(folder, new_keys)
    domains = []
    for row, d in enumerate(partition.domains):
        key, centroids = bank_key(d.id), (partition.text_centroids[row], partition.audio_centroids[row])
        if not (folder / key / DESCRIPTION).is_file():
            continue
        info = read_description(folder / key)
        if key in new_keys or (info.base_sha256, info.domain) == (base_sha256, {"id": d.id, "name": d.name}):
            domains.append(BankDomain(d.id, d.name, d.captions, *centroids, gains.get(key, 0.0)))
    if not domains:
        return
    description = {
        "base_sha256": base_sha256,
        "encoder_fingerprint": partition.encoder_fingerprint,
        "partition_sha256": partition.rows_sha256,
        **more,
    }
    write_bank(folder, domains, description)


def measured_gains(folder: Path, new_keys: Collection[str]) -> dict[str, float]:
    """The measured gains of a bank's adapters that are kept when others are replaced: {key: SDRi in dB}.

    Args:
        folder: the bank; it may not exist yet.
        new_keys: keys of the adapters that are replaced.

    Raises:
        InputError: the bank is damaged, so the gains of adapters that are kept would be lost.
    """
    kept = {path.parent.name for path in folder.glob(f"domain*/{DESCRIPTION}")}.difference(new_keys)
    if not kept or not (folder / BANK).exists():
        return {}
    return {key: domain.sdri_gain_db for key, domain in read_bank(folder).items() if key in kept}
