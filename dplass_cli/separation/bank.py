"""The adapter bank: one base in memory, the deltas of several adapters, and switching among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.adapter_folder import AdapterInfo, LoadedAdapter, fingerprint
from dplass_cli.adapters.bank_folder import BANK, BankDomain, bank_place, find_adapters, read_adapter, read_bank
from dplass_cli.adapters.base import Adapter
from dplass_cli.adapters.injection import adapter_state, batch_norms_of, layer_at, statistics_in
from dplass_cli.errors import InputError, nearest
from dplass_cli.models import BaseModel

Activation = str | Mapping[str, float] | None
"""What the network runs as: one adapter by its key, a weighted sum of several, or None, the base alone."""

_UNKNOWN: Activation = {"": math.nan}  # equals no activation: the state after an activation that failed half-way


class AdapterBank:
    """Adapters over one base model: one base in memory and the tensors of each adapter.

    In addition to the base's own weights, only the active adapter's merged weights exist. The base's weights are kept
    as loaded, so that ``activate(None)`` restores the base bit for bit.

    Args:
        network: the base; only :meth:`activate` changes it.

    Attributes:
        network: the base as it is active now.
        base_sha256: hash of the base's tensors.
        domains: {key: domain} of the adapters that have one.
        active: what is active.
    """

    def __init__(self, network: BaseModel) -> None:
        self.network = network
        self.base_sha256 = network.sha256()
        self.domains: dict[str, BankDomain] = {}
        self.active: Activation = None
        self._infos: dict[str, AdapterInfo] = {}
        self._adapters: dict[str, LoadedAdapter] = {}
        self._files: dict[str, Callable[[], LoadedAdapter]] = {}
        self._fingerprints: dict[str, str] = {}
        self._base_weights: dict[str, Tensor] = {}
        self._norms = batch_norms_of(network)
        self._base_statistics = {name: buffer.clone() for name, buffer in statistics_in(self._norms).items()}
        self._branches: dict[str, Adapter] = {}

    def __repr__(self) -> str:
        return f"AdapterBank(base={self.network.source!r}, adapters={self.keys}, active={self.active!r})"

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def keys(self) -> list[str]:
        """The names of the loaded adapters."""
        return list(self._infos)

    @property
    def infos(self) -> dict[str, AdapterInfo]:
        """The description of each loaded adapter."""
        return dict(self._infos)

    def load(self, path: Path | str, trust: bool = False, keep: bool = True) -> list[str]:
        """Load a bank folder, a folder of adapter folders, one adapter folder, or a published adapter file.

        The keys of a bank's adapters are ``domain0`` …; the key of an adapter folder is its name, that of a published
        file its cluster (``domain3`` for ``cluster3_model.pt``), otherwise its name. ``tiny`` is the bundled bank.

        Args:
            path: what to load.
            trust: also read pickled files that contain more than weights; such files can execute code.
            keep: hold the adapters in memory. Otherwise each is checked now and read again whenever it is activated, so
                that seven adapters take no more memory than one.

        Returns:
            The new keys.

        Raises:
            InputError: the path is none of these, an adapter belongs to another base, or a key is already in use.
        """
        path = bank_place(path)
        found = find_adapters(path)
        domains = read_bank(path) if (path / BANK).is_file() else {}
        for key, place in found.items():
            if key in self._infos:
                raise InputError(f"{place}: an adapter named {key!r} is already loaded; rename one of them")
            read = partial(read_adapter, place, self.network, self.base_sha256, trust)
            if keep:
                self.add(key, read())
            else:
                self._infos[key], self._files[key] = read().info, read
        self.domains |= domains
        return list(found)

    def add(self, key: str, adapter: LoadedAdapter) -> None:
        """Add an adapter that is already in memory; it must belong to this base."""
        self._infos[key] = adapter.info
        self._adapters[key] = adapter.to(self.device)
        self._fingerprints.pop(key, None)

    def get(self, key: str) -> LoadedAdapter:
        """A loaded adapter.

        Raises:
            InputError: an unknown key.
        """
        self._require(key)
        if key in self._adapters:
            return self._adapters[key]
        return self._files[key]().to(self.device)

    def _require(self, key: str) -> None:
        if key not in self._infos:
            raise InputError(f"no adapter {key!r} is loaded{nearest(key, self._infos)}")

    def fingerprint(self, key: str) -> str:
        """sha256 over an adapter's tensors, statistics and layer settings."""
        if key not in self._fingerprints:
            adapter = self.get(key)
            state = {**adapter_state(adapter.layers), **adapter.statistics}
            self._fingerprints[key] = fingerprint(adapter.info, state)
        return self._fingerprints[key]

    @torch.no_grad()
    def activate(self, which: Activation) -> None:
        """Run the network as the base (None), with one adapter, or with a weighted sum of linear deltas.

        Raises:
            InputError: an unknown key, or a sum of adapters that are not linear.
        """
        shares = {which: 1.0} if isinstance(which, str) else dict(which or {})
        for key in shares:
            self._require(key)
            if isinstance(which, Mapping) and not METHODS[self._infos[key].method].linear:
                raise InputError(
                    f"adapter {key!r}: {self._infos[key].method} is not a weight delta and cannot be blended;"
                    " activate it alone"
                )
        shares = {key: share for key, share in shares.items() if share != 0.0}
        self.active = _UNKNOWN
        statistics = statistics_in(self._norms)
        self._restore(statistics)
        alone = list(shares.values()) == [1.0]
        for key, share in shares.items():  # one at a time: of adapters read from files, only one is in memory
            adapter = self.get(key)
            for path, adapted in adapter.layers.items():
                self._apply(path, adapted, None if alone else share)
            for name, buffer in statistics.items():
                if name in adapter.statistics and buffer.is_floating_point():  # integer counts affect no forward pass
                    own, base = adapter.statistics[name], self._base_statistics[name]
                    buffer.copy_(own) if alone else buffer.add_(share * (own - base))
        for name, buffer in statistics.items():
            if not alone and name.endswith("running_var"):
                buffer.clamp_(min=0.0)  # a sum with negative shares could go below 0
        self.active = which if which is None or isinstance(which, str) else dict(which)

    def _restore(self, statistics: Mapping[str, Tensor]) -> None:
        for path, weight in self._base_weights.items():
            layer_at(self.network, path).weight.data = weight
        for path, branch in self._branches.items():
            branch.detach(layer_at(self.network, path))
        self._branches = {}
        for name, buffer in statistics.items():
            buffer.copy_(self._base_statistics[name])

    def _apply(self, path: str, adapter: Adapter, share: float | None) -> None:
        """Apply one layer's adapter as it is (None) or a share of its delta."""
        layer = layer_at(self.network, path)
        if share is None and not adapter.linear:
            adapter.attach(layer)
            self._branches[path] = adapter
            return
        base = self._base_weights.setdefault(path, layer.weight.data)
        if share is None:
            layer.weight.data = adapter(base)
        else:
            layer.weight.data = torch.add(layer.weight.data, adapter(base) - base, alpha=share)
