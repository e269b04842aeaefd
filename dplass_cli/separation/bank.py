"""The adapter bank: one base in memory, the deltas of several adapters, and switching among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dplass_cli.adapters.base import Adapter
from dplass_cli.adapters.files import DESCRIPTION, AdapterInfo, load_adapter
from dplass_cli.adapters.injection import adapter_state
from dplass_cli.configuration import to_mapping
from dplass_cli.errors import InputError, nearest
from dplass_cli.models import BaseModel
from dplass_cli.storage import read_json, write_json
from dplass_cli.weights.checkpoints import write_safetensors
from dplass_cli.weights.hashing import tensors_sha256

_BANK, _CENTROIDS = "bank.json", "centroids.safetensors"
_FORMAT = "dplass-bank-1"


@dataclass(frozen=True)
class BankDomain:
    """A domain that the bank has an adapter for: its number, name and captions, and its centroids, float32 (D,)."""

    id: int
    name: str
    captions: tuple[str, ...]
    text_centroid: Tensor
    audio_centroid: Tensor


def bank_key(domain: int) -> str:
    """The name of a domain's adapter in a bank, and of its folder."""
    return f"domain{domain}"


class AdapterBank:
    """Adapters over one base model.

    Only the weights of the active adapter exist as merged tensors; the base's own are kept as they were loaded, so that
    ``activate(None)`` restores the base bit for bit.

    Args:
        network: the base; its weights change with :meth:`activate` and nowhere else.
    """

    def __init__(self, network: BaseModel) -> None:
        self.network = network
        self.base_sha256 = network.sha256()
        self.domains: dict[str, BankDomain] = {}
        self.infos: dict[str, AdapterInfo] = {}
        self._adapters: dict[str, dict[str, Adapter]] = {}
        self._base_weights: dict[str, Tensor] = {}
        self.active: str | dict[str, float] | None = None

    @property
    def keys(self) -> list[str]:
        """The names of the loaded adapters."""
        return list(self._adapters)

    def load(self, path: Path | str) -> list[str]:
        """Load a bank folder or one adapter folder; returns the new keys.

        A bank's adapters are ``domain0`` …; a single adapter folder is known by its folder's name.

        Raises:
            InputError: neither a bank nor an adapter, an adapter of another base, or a key that is there already.
        """
        path = Path(path)
        if (path / _BANK).is_file():
            domains = read_bank(path)
            for key, domain in domains.items():
                self._add(key, path / key)
                self.domains[key] = domain
            return list(domains)
        if (path / DESCRIPTION).is_file():
            key = path.resolve().name
            self._add(key, path)
            return [key]
        raise InputError(f"{path}: neither a bank ({_BANK}) nor an adapter ({DESCRIPTION}); give what train wrote")

    def _add(self, key: str, folder: Path) -> None:
        if key in self._adapters:
            raise InputError(f"{folder}: an adapter named {key!r} is loaded already; rename the folder")
        adapters, info = load_adapter(folder, self.network, self.base_sha256)
        device = next(self.network.parameters()).device
        self._adapters[key] = {layer: adapter.to(device) for layer, adapter in adapters.items()}
        self.infos[key] = info

    def fingerprint(self, key: str) -> str:
        """sha256 over an adapter's tensors and settings."""
        return tensors_sha256(adapter_state(self._adapters[key]), to_mapping(self.infos[key].settings))

    def activate(self, which: str | Mapping[str, float] | None) -> None:
        """Make the network the base (None), the base with one adapter, or with a weighted sum of linear deltas.

        Raises:
            InputError: an unknown key, or a sum of adapters that are not linear.
        """
        weights = {which: 1.0} if isinstance(which, str) else dict(which or {})
        for key in weights:
            if key not in self._adapters:
                raise InputError(f"no adapter {key!r} is loaded{nearest(key, self._adapters)}")
        if isinstance(which, Mapping):
            for key in weights:
                if not all(adapter.linear for adapter in self._adapters[key].values()):
                    raise InputError(f"adapter {key!r} is not linear in its weight; it cannot be blended")
        with torch.no_grad():
            for path, weight in self._base_weights.items():
                self._layer(path).weight.data = weight
            for path in dict.fromkeys(path for key in weights for path in self._adapters[key]):
                self._layer(path).weight.data = self._merged(path, weights, single=isinstance(which, str))
        self.active = which if which is None or isinstance(which, str) else weights

    def _merged(self, path: str, weights: Mapping[str, float], single: bool) -> Tensor:
        base = self._base_weights.setdefault(path, self._layer(path).weight.data)
        changed: dict[str, Tensor] = {
            key: self._adapters[key][path](base) for key in weights if path in self._adapters[key]
        }
        if single:
            return next(iter(changed.values()))
        return base + torch.stack([weights[key] * (changed[key] - base) for key in changed]).sum(dim=0)

    def _layer(self, path: str) -> nn.Conv2d:
        layer = self.network.get_submodule(path)
        assert isinstance(layer, nn.Conv2d)
        return layer


def read_bank(folder: Path | str) -> dict[str, BankDomain]:
    """Read what a bank folder says of its domains, in their order: {key: domain}.

    Raises:
        InputError: a missing or damaged file.
    """
    folder = Path(folder)
    content = read_json(folder / _BANK)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(f"{folder / _BANK}: not the description of a bank (no format {_FORMAT!r})")
    try:
        centroids = load_file(folder / _CENTROIDS)
        return {
            bank_key(entry["id"]): BankDomain(
                entry["id"],
                entry["name"],
                tuple(entry["captions"]),
                centroids["text"][row],
                centroids["audio"][row],
            )
            for row, entry in enumerate(content["domains"])
        }
    except (KeyError, TypeError, IndexError, OSError) as error:
        raise InputError(
            f"{folder}: the bank's files do not fit each other ({error}); train or import it again"
        ) from error


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
    entries = [{"id": d.id, "name": d.name, "captions": list(d.captions)} for d in domains]
    write_safetensors(folder / _CENTROIDS, centroids, {"format": _FORMAT})
    write_json(folder / _BANK, {"format": _FORMAT, **description, "domains": entries})
