"""DP-LASS's adapter files: a whole wrapped model under the key ``dora_state_dict`` (golden ``*_layout.json``).

A wrapped layer P has its frozen weight at ``P.conv.weight``, and the adapter's tensors under ``P`` too. LoRA and DoRA
also store the frozen weight at ``P.W0``, which is the one to use, since DP-LASS's evaluation overwrites ``conv.weight``
with a merged weight. Everything else is the base, with the batch-norm statistics as training left them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dplass_cli.adapters.adapter_folder import AdapterInfo, LoadedAdapter
from dplass_cli.adapters.base import Adapter
from dplass_cli.adapters.injection import (
    METHODS,
    layer_at,
    layer_settings,
    load_adapter_state,
    make_adapters,
    statistics_of,
)
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel, make_network
from dplass_cli.models.audiosep_checkpoint import audiosep_state
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import NetworkConfig, ResUNet30Config
from dplass_cli.options.parse import to_mapping
from dplass_cli.versions import __version__
from dplass_cli.weights.checkpoint_files import (
    in_dtype,
    is_transform_kernel,
    load_strictly,
    read_tensors,
    require_finite,
    require_layout,
)

_KEY, _PREFIX, _FROZEN_COPY = "dora_state_dict", "model.", "W0"


@dataclass(frozen=True)
class DplassFile:
    """The content of a DP-LASS adapter file.

    Attributes:
        source: the file.
        method: the adapter method of its layers.
        tensors: {layer path: {name of a tensor in our adapter: tensor}}.
        base: the network's state dict without the adapter: frozen weights, and statistics as training left them.
        notes: what was found wrong in the file and what was done about it, for the user.
    """

    source: Path
    method: str
    tensors: dict[str, dict[str, Tensor]]
    base: dict[str, Tensor]
    notes: tuple[str, ...]


def read_published(path: Path | str, trust: bool = False) -> DplassFile:
    """Read a DP-LASS adapter file; InputError unless its layers have exactly one known method."""
    content, _ = read_tensors(path, trust)
    state = content.get(_KEY, content)
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and key.startswith(_PREFIX) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise InputError(
            f"{path}: not a DP-LASS adapter file ({_KEY!r} with tensors {_PREFIX}…); give one, or an adapter folder"
        )
    state = {key.removeprefix(_PREFIX): value for key, value in in_dtype(state, torch.float32).items()}
    state = {key: value for key, value in state.items() if not is_transform_kernel(key)}
    wrapped = _wrapped_layers(state)
    base = {key: value for key, value in state.items() if _owner(key, wrapped) is None}
    merged = []
    for layer, named in wrapped.items():
        inside = {key.removeprefix(f"{layer}."): value for key, value in state.items() if _owner(key, wrapped) == layer}
        copy = inside.pop(_FROZEN_COPY, None)
        frozen = {name.rpartition(".")[2]: inside[name] for name in inside if name not in named}
        if not {"weight"} <= frozen.keys() <= {"weight", "bias"} or len(frozen) + len(named) != len(inside):
            raise InputError(
                f"{path}: {layer} contains {some(inside)}, expected a frozen layer and its adapter; the file is damaged"
            )
        if copy is not None and not torch.equal(copy, frozen["weight"]):
            merged.append(layer)
            frozen["weight"] = copy
        base |= {f"{layer}.{name}": value for name, value in frozen.items()}
    film = [layer for layer in wrapped if layer.startswith("film.")]
    tensors = {layer: named for layer, named in wrapped.items() if layer not in film}
    method = _method(tensors, path)
    renamed = {theirs: ours for ours, theirs in METHODS[method].published_tensors.items()}
    ours = {layer: {renamed[name]: value for name, value in named.items()} for layer, named in tensors.items()}
    return DplassFile(Path(path), method, ours, base, _notes(merged, film))


def _notes(merged: list[str], film: list[str]) -> tuple[str, ...]:
    notes = []
    if merged:
        notes.append(
            f"{some(merged, 2)}: conv.weight is not the frozen weight (an evaluation merged it); W0 is used instead"
        )
    if film:
        notes.append(
            f"{len(film)} adapters of FiLM maps are left out: DP-LASS's forward pass never reads them, so they have no"
            " effect"
        )
    return tuple(notes)


def _wrapped_layers(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of adapters: {layer path: {name in DP-LASS's files: tensor}}."""
    names = {name for method in METHODS.values() for name in method.published_tensors.values()}
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        for name in names:
            if key.endswith(f".{name}"):
                found.setdefault(key.removesuffix(f".{name}"), {})[name] = value
    return found


def _owner(key: str, wrapped: Mapping[str, object]) -> str | None:
    parts = key.split(".")
    prefixes = (".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
    return next((prefix for prefix in prefixes if prefix in wrapped), None)


def _method(tensors: Mapping[str, Mapping[str, Tensor]], path: Path | str) -> str:
    if not tensors:
        raise InputError(f"{path}: contains no adapter that has an effect; give another file")
    found = set()
    for layer, named in tensors.items():
        matching = [m.method for m in METHODS.values() if set(m.published_tensors.values()) == named.keys()]
        if len(matching) != 1:
            raise InputError(f"{path}: {layer} has {some(named)}, which is not a known method; the file is damaged")
        for name, tensor in named.items():
            if tensor.numel() == 0 or tensor.ndim < (1 if name == "magnitude" else 2):
                raise InputError(f"{path}: {layer}.{name} has shape {[*tensor.shape]}; the file is damaged")
        found.add(matching[0])
    if len(found) > 1:
        raise InputError(f"{path}: mixes the methods {some(sorted(found))}; an adapter has only one")
    return found.pop()


def contained_base(published: DplassFile, config: NetworkConfig | None = None) -> BaseModel:
    """The base contained in a DP-LASS file, in evaluation mode, with the statistics of that file.

    InputError if the file's tensors do not have this configuration (by default AudioSep's).
    """
    network = make_network(config or ResUNet30Config())
    load_strictly(network, published.base, str(published.source))
    network.source = str(published.source)
    return network.eval().requires_grad_(False)


def from_published(
    published: DplassFile, network: BaseModel, base_sha256: str, settings: AdapterSettings | None = None
) -> LoadedAdapter:
    """Create an adapter from a DP-LASS file for a base, whose frozen weights must equal those in the file.

    The rank of ``reconv`` and the alphas, which the file does not contain, are those of ``settings``, or DP-LASS's.

    Raises:
        InputError: the frozen weights or shapes are those of another base, or a layer cannot be adapted.
    """
    where, own = str(published.source), network.state_dict()
    _check_same_base(published, own, network)
    address = {layer.path: layer.address for layer in network.adaptable_layers()}
    unknown = [path for path in published.tensors if path not in address]
    if unknown:
        raise InputError(
            f"{where}: adapts {some(unknown)}, which this network does not have; give the base it was trained on"
        )
    for path in published.tensors:
        _require_published_meaning(METHODS[published.method], path, layer_at(network, path), where)
    layers = layer_settings(network, _settings(published, address, settings or AdapterSettings()))
    adapters = make_adapters(network, published.method, layers)
    state = {f"{path}.{name}": value for path, named in published.tensors.items() for name, value in named.items()}
    load_adapter_state(adapters, state, where)
    statistics = {
        name: published.base[name]
        for name, buffer in statistics_of(network).items()
        if name in published.base and not torch.equal(published.base[name], buffer.cpu())
    }
    info = AdapterInfo(
        method=published.method,
        layers=layers,
        base_sha256=base_sha256,
        architecture=to_mapping(network.config),
        batchnorm="adapt" if statistics else "frozen",
        training={"imported": published.source.name, "notes": list(published.notes)},
        versions={"dplass": __version__},
    )
    return LoadedAdapter(adapters, statistics, info)


def _settings(published: DplassFile, address: Mapping[str, str], given: AdapterSettings) -> AdapterSettings:
    method = METHODS[published.method]
    found = {address[path]: method.settings_from(named) for path, named in published.tensors.items()}
    ranks = {name: settings["rank"] for name, settings in found.items() if "rank" in settings}
    gamma = next(iter(found.values())).get("gamma", 1)
    return dataclasses.replace(
        given, method=published.method, targets=tuple(found), rank=ranks or given.rank, gamma=gamma
    )


def _check_same_base(published: DplassFile, own: Mapping[str, Tensor], network: BaseModel) -> None:
    where, statistics = str(published.source), statistics_of(network)
    expected = {key: own[key] for key in own if key not in statistics or key in published.base}
    require_layout(expected, published.base, where, "an adapter")
    require_finite(published.base, where)
    frozen = {key: value for key, value in published.base.items() if key not in statistics}
    differing = [key for key, value in frozen.items() if not torch.equal(value, own[key].cpu())]
    if differing:
        raise InputError(
            f"{where}: its frozen weights are not those of {network.source}"
            f" ({len(differing)} tensors differ: {some(differing, 2)}); give the base it was trained on, or no base:"
            " then the one in the file is written"
        )


def _require_published_meaning(method: type[Adapter], path: str, layer: nn.Module, where: str) -> None:
    if not isinstance(layer, method.published_layers):
        raise InputError(
            f"{where}: {path} is a {type(layer).__name__}; in DP-LASS files {method.method} adapts convolutions only"
        )


def to_published(adapter: LoadedAdapter, network: BaseModel) -> dict[str, dict[str, Tensor]]:
    """The content of a DP-LASS file for an adapter over its base: a whole wrapped model.

    The file does not contain the rank of ``reconv`` or the alphas; the code that loads it must use the same ones.
    InputError if the format cannot represent a layer, the method or the network.
    """
    kind: type[Adapter] = METHODS[adapter.info.method]
    if not kind.published_tensors:
        raise InputError(f"adapter method {kind.method!r} has no DP-LASS file format; use one of DP-LASS's methods")
    for path in adapter.layers:
        if path.startswith("film."):
            raise InputError(
                f"{path}: DP-LASS's code never reads adapters of FiLM maps; export an adapter without them"
            )
        _require_published_meaning(kind, path, layer_at(network, path), "export")
    state: dict[str, Tensor] = {}
    for key, tensor in audiosep_state(network).items():
        path, _, leaf = key.rpartition(".")
        if path not in adapter.layers:
            state[_PREFIX + key] = adapter.statistics.get(key, tensor)
        elif leaf == "weight":
            state |= {f"{_PREFIX}{path}.{name}": value for name, value in _wrapped(kind, adapter, path, tensor)}
        else:
            state[f"{_PREFIX}{path}.conv.{leaf}"] = tensor
    return {_KEY: state}


def _wrapped(kind: type[Adapter], adapter: LoadedAdapter, path: str, weight: Tensor) -> list[tuple[str, Tensor]]:
    """A wrapped layer's tensors in DP-LASS's order: its own, the frozen copy, the convolution, those of sub-layers."""
    own = adapter.layers[path].state_dict()
    named = [(theirs, own[ours].cpu().contiguous()) for ours, theirs in kind.published_tensors.items()]
    copy = [(_FROZEN_COPY, weight.clone())] if kind.published_frozen_copy else []
    return [
        *[(name, value) for name, value in named if "." not in name],
        *copy,
        ("conv.weight", weight),
        *[(name, value) for name, value in named if "." in name],
    ]
