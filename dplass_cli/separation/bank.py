"""The adapter bank: one base in memory, the deltas of several adapters, and switching among them."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.adapter_folder import DESCRIPTION, AdapterInfo, LoadedAdapter, load_adapter, read_description
from dplass_cli.adapters.base import Adapter
from dplass_cli.adapters.dplass_format import from_published, read_published
from dplass_cli.adapters.injection import adapter_state, layer_at, statistics_of
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.errors import InputError, nearest
from dplass_cli.models import BaseModel
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.resources import shipped
from dplass_cli.storage import make_folder, read_json, remove_file, write_json
from dplass_cli.weights.checkpoint_files import read_tensors, write_safetensors
from dplass_cli.weights.hashing import tensors_sha256

BANK, _CENTROIDS = "bank.json", "centroids.safetensors"
_FORMAT = "dplass-bank-1"
TINY_BANK = "assets/tiny/bank"  # among what is shipped

Activation = str | Mapping[str, float] | None
"""What makes a network: one adapter, a weighted sum of several, or the base alone."""

_NEITHER: Activation = {"": math.nan}  # equal to none that is asked for: what is active where activating failed


@dataclass(frozen=True)
class BankDomain:
    """A domain that the bank has an adapter for: its number, name and captions, and its centroids, float32 (D,).

    ``gain_db`` is the adapter's SDRi over the base's on its domain, dB, cross-validated; 0 where it was not measured.
    """

    id: int
    name: str
    captions: tuple[str, ...]
    text_centroid: Tensor
    audio_centroid: Tensor
    gain_db: float = 0.0


def bank_key(domain: int) -> str:
    """The name of a domain's adapter in a bank, and of its folder."""
    return f"domain{domain}"


class AdapterBank:
    """Adapters over one base model: one base in memory and the tensors of each adapter.

    Only the active adapter's merged weights exist, beside the base's own, which are kept as they were loaded, so that
    ``activate(None)`` restores the base bit for bit.

    Args:
        network: the base; it changes with :meth:`activate` and nowhere else.
    """

    def __init__(self, network: BaseModel) -> None:
        self.network = network
        self.base_sha256 = network.sha256()
        self.domains: dict[str, BankDomain] = {}
        self.active: Activation = None
        self._infos: dict[str, AdapterInfo] = {}
        self._adapters: dict[str, LoadedAdapter] = {}
        self._files: dict[str, Callable[[], LoadedAdapter]] = {}
        self._base_weights: dict[str, Tensor] = {}
        self._base_statistics = {name: buffer.clone() for name, buffer in statistics_of(network).items()}
        self._branches: dict[str, Adapter] = {}

    @property
    def keys(self) -> list[str]:
        """The names of the loaded adapters."""
        return list(self._infos)

    @property
    def infos(self) -> dict[str, AdapterInfo]:
        """What is known of each loaded adapter."""
        return dict(self._infos)

    def load(self, path: Path | str, trust: bool = False, keep: bool = True) -> list[str]:
        """Load a bank folder, a folder of adapter folders, one adapter folder, or a published adapter file.

        A bank's adapters are ``domain0`` …; an adapter folder is known by its name, and a published file by its cluster
        (``cluster3_model.pt`` is ``domain3``), else by its name. ``tiny`` is the bundled bank.

        Args:
            trust: read pickled files that hold more than weights; such files can run code.
            keep: hold the adapters in memory. Otherwise each is checked now and read again whenever it is activated,
                so that seven of them take no more memory than one.

        Returns:
            The new keys.

        Raises:
            InputError: none of these, an adapter of another base, or a key that is there already.
        """
        path = bank_place(path)
        found = find_adapters(path)
        domains = read_bank(path) if (path / BANK).is_file() else {}
        for key, place in found.items():
            if key in self._infos:
                raise InputError(f"{place}: an adapter named {key!r} is loaded already; rename it")
            read = partial(read_adapter, place, self.network, self.base_sha256, trust)
            if keep:
                self.add(key, read())
            else:
                self._infos[key], self._files[key] = read().info, read
        self.domains |= domains
        return list(found)

    def add(self, key: str, adapter: LoadedAdapter) -> None:
        """Add an adapter that is in memory already; it must have been made for this base."""
        self._infos[key] = adapter.info
        self._adapters[key] = adapter.to(next(self.network.parameters()).device)

    def get(self, key: str) -> LoadedAdapter:
        """A loaded adapter.

        Raises:
            InputError: an unknown key.
        """
        self._require(key)
        if key in self._adapters:
            return self._adapters[key]
        return self._files[key]().to(next(self.network.parameters()).device)

    def _require(self, key: str) -> None:
        if key not in self._infos:
            raise InputError(f"no adapter {key!r} is loaded{nearest(key, self._infos)}")

    def fingerprint(self, key: str) -> str:
        """sha256 over an adapter's tensors, statistics and layer settings."""
        adapter = self.get(key)
        settings = [adapter.info.method, to_mapping(adapter.info.layers)]
        return tensors_sha256({**adapter_state(adapter.layers), **adapter.statistics}, settings)

    @torch.no_grad()
    def activate(self, which: Activation) -> None:
        """Make the network the base (None), the base with one adapter, or with a weighted sum of linear deltas.

        Raises:
            InputError: an unknown key, or a sum of adapters that are not linear.
        """
        shares = {which: 1.0} if isinstance(which, str) else dict(which or {})
        for key in shares:
            self._require(key)
            if isinstance(which, Mapping) and not METHODS[self._infos[key].method].linear:
                raise InputError(
                    f"adapter {key!r} ({self._infos[key].method}) is not a change of weights, so it cannot be blended;"
                    " activate it alone"
                )
        shares = {key: share for key, share in shares.items() if share != 0.0}
        self.active = _NEITHER
        self._restore()
        alone = list(shares.values()) == [1.0]
        for key, share in shares.items():  # one after the other: those that are read from files never meet in memory
            adapter = self.get(key)
            for path, adapted in adapter.layers.items():
                self._apply(path, adapted, None if alone else share)
            self._apply_statistics(adapter.statistics, None if alone else share)
        for name, buffer in statistics_of(self.network).items():
            if not alone and name.endswith("running_var"):
                buffer.clamp_(min=0.0)  # a sum with negative shares could be below
        self.active = which if which is None or isinstance(which, str) else dict(which)

    def _restore(self) -> None:
        for path, weight in self._base_weights.items():
            layer_at(self.network, path).weight.data = weight
        for path, branch in self._branches.items():
            branch.detach(layer_at(self.network, path))
        self._branches = {}
        for name, buffer in statistics_of(self.network).items():
            buffer.copy_(self._base_statistics[name])

    def _apply(self, path: str, adapter: Adapter, share: float | None) -> None:
        """Apply one layer's adapter, alone or as a share of its change."""
        layer = layer_at(self.network, path)
        if share is None and not adapter.linear:
            adapter.attach(layer)
            self._branches[path] = adapter
            return
        base = self._base_weights.setdefault(path, layer.weight.data)
        layer.weight.data = adapter(base) if share is None else layer.weight.data + share * (adapter(base) - base)

    def _apply_statistics(self, statistics: Mapping[str, Tensor], share: float | None) -> None:
        """Set an adapter's statistics, or add a share of what they differ by."""
        for name, buffer in statistics_of(self.network).items():
            if name not in statistics or not buffer.is_floating_point():  # counts are read by no forward
                continue
            if share is None:
                buffer.copy_(statistics[name])
                continue
            buffer.add_(share * (statistics[name] - self._base_statistics[name]))


def bank_place(path: Path | str) -> Path:
    """Where a bank lies that is named by its path, or as ``tiny``, the bundled one."""
    return (shipped(TINY_BANK) if str(path) == "tiny" else None) or Path(path)


def find_adapters(path: Path | str) -> dict[str, Path]:
    """Where adapters lie: {key: adapter folder or published file}, of a bank or any of the forms that a bank loads.

    Raises:
        InputError: there are none.
    """
    path = bank_place(path)
    if (path / BANK).is_file():
        return {key: path / key for key in read_bank(path)}
    if (path / DESCRIPTION).is_file():
        return {path.resolve().name: path}
    if path.is_dir():
        found = {child.name: child for child in sorted(path.iterdir()) if (child / DESCRIPTION).is_file()}
        if found:
            return found
    elif path.is_file():
        return {published_key(path): path}
    if not path.exists():
        raise InputError(f"{path}: no such file or folder of adapters; check the path")
    if (path / "bank" / BANK).is_file():
        raise InputError(f"{path}: is the workspace of a training; give its bank, {path / 'bank'}")
    raise InputError(
        f"{path}: no bank ({BANK}), adapter folder ({DESCRIPTION}) or published adapter file; give what train wrote"
    )


def read_adapter(place: Path, network: BaseModel, base_sha256: str, trust: bool = False) -> LoadedAdapter:
    """Read an adapter folder or a published file for a base.

    Raises:
        InputError: it is damaged, or not an adapter of this base.
    """
    if place.is_dir():
        return load_adapter(place, network, base_sha256)
    return from_published(read_published(place, trust), network, base_sha256)


def published_key(path: Path) -> str:
    """The key of a published file: of its cluster where its name says one, else its name."""
    cluster = re.search(r"cluster(\d+)", path.stem)
    return bank_key(int(cluster[1])) if cluster else path.stem


def read_bank(folder: Path | str) -> dict[str, BankDomain]:
    """Read what a bank folder says of its domains, in their order: {key: domain}.

    Raises:
        InputError: a missing or damaged file.
    """
    folder = Path(folder)
    content = read_json(folder / BANK)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(f"{folder / BANK}: not the description of a bank (no format {_FORMAT!r})")
    described = from_mapping(_Described, {"domains": content.get("domains")}, str(folder / BANK)).domains
    centroids, _ = read_tensors(folder / _CENTROIDS)
    text, audio = (centroids.get(name) for name in ("text", "audio"))
    if text is None or audio is None or text.ndim != 2 or text.shape != audio.shape or len(text) != len(described):
        raise InputError(
            f"{folder}: {_CENTROIDS} does not hold two centroids for each of the {len(described)} domains of {BANK};"
            " train or import the bank again"
        )
    if not (text.isfinite().all() and audio.isfinite().all()):
        raise InputError(f"{folder / _CENTROIDS}: holds values that are not finite; train or import the bank again")
    if len({entry.id for entry in described}) != len(described) or any(entry.id < 0 for entry in described):
        raise InputError(f"{folder / BANK}: domains must have ids from 0 on, each once; train or import the bank again")
    return {
        bank_key(entry.id): BankDomain(
            entry.id, entry.name, entry.captions, text[row].float(), audio[row].float(), entry.gain_db
        )
        for row, entry in enumerate(described)
    }


@dataclass(frozen=True)
class _Entry:
    """A domain as ``bank.json`` has it."""

    id: int
    name: str
    captions: tuple[str, ...]
    gain_db: float = 0.0


@dataclass(frozen=True)
class _Described:
    domains: tuple[_Entry, ...]


def write_bank_of(
    folder: Path | str, partition: Partition, base_sha256: str, anew: Collection[str], **more: Any
) -> None:
    """Write what a bank says of its domains: those of a partition whose adapters lie in the folder.

    Args:
        base_sha256: of the base that they belong to.
        anew: keys of adapters that were made anew; of the others, gains that were measured before still hold.
        more: to be said of the bank too.

    Raises:
        InputError: the folder cannot be written. RunError: the disk is full.
    """
    folder = Path(folder)
    gains: dict[str, float] = {}
    with contextlib.suppress(InputError):  # there is no bank yet, or no whole one
        gains = {key: domain.gain_db for key, domain in read_bank(folder).items() if key not in anew}
    domains = []
    for row, d in enumerate(partition.domains):
        key, centroids = bank_key(d.id), (partition.text_centroids[row], partition.audio_centroids[row])
        if not (folder / key / DESCRIPTION).is_file():
            continue
        if key in anew or _belongs(folder / key, base_sha256, {"id": d.id, "name": d.name}):
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


def _belongs(folder: Path, base_sha256: str, domain: Mapping[str, Any]) -> bool:
    """Whether an adapter that lies in a bank's folder is of this base and domain."""
    info = read_description(folder)
    return info.base_sha256 == base_sha256 and info.domain == domain


def write_bank(folder: Path | str, domains: Sequence[BankDomain], description: Mapping[str, Any]) -> None:
    """Write what a bank says of its domains; their adapters lie in the sub-folders named by :func:`bank_key`.

    Raises:
        InputError: the folder cannot be written. RunError: the disk is full.
    """
    folder = Path(folder)
    centroids = {
        "text": torch.stack([domain.text_centroid for domain in domains]),
        "audio": torch.stack([domain.audio_centroid for domain in domains]),
    }
    entries = [{"id": d.id, "name": d.name, "captions": list(d.captions), "gain_db": d.gain_db} for d in domains]
    make_folder(folder)
    remove_file(folder / BANK)  # of a bank that was here: it would go with the new centroids
    write_safetensors(folder / _CENTROIDS, centroids, {"format": _FORMAT})
    write_json(folder / BANK, {"format": _FORMAT, **description, "domains": entries})
