"""The adapter folder: ``adapter.safetensors`` with its tensors, and ``adapter.json`` with its description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dplass_cli.adapters.base import Adapter, LayerSettings
from dplass_cli.adapters.injection import (
    adapter_state,
    find_method,
    layer_at,
    load_adapter_state,
    make_adapters,
    statistics_of,
)
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel
from dplass_cli.options.adapter_settings import StoredType
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.resources import shown_hash
from dplass_cli.storage import make_folder, read_json, remove_file, require_file, resolved, write_json
from dplass_cli.weights.checkpoint_files import (
    in_dtype,
    read_tensors,
    require_finite,
    require_layout,
    tensors_sha256,
    write_safetensors,
)

WEIGHTS, DESCRIPTION = "adapter.safetensors", "adapter.json"
_FORMAT = "dplass-adapter-1"
STATISTICS = "batchnorm."
"""Prefix of the batch-norm statistics in ``adapter.safetensors``."""


@dataclass(frozen=True)
class AdapterInfo:
    """The content of ``adapter.json``.

    Attributes:
        method: a name in the method table.
        layers: {path of an adapted layer: its rank, alpha and gamma}.
        base_sha256: hash of the base it belongs to.
        architecture: configuration of that base.
        encoder_fingerprint: of the encoder that its queries were embedded with; empty if unknown.
        domain: {"id": …, "name": …} of the domain it was trained for; empty if none.
        batchnorm: ``frozen`` uses the base's statistics; ``adapt`` stores its own where they differ from the base's.
        dtype: of its tensors in the file; statistics are always float32.
        training: how it was trained or converted.
        metrics: what it reached in validation; ``val_sdri`` in dB.
        versions: the packages it was made with.
        format: name and version of this format.
    """

    method: str
    layers: dict[str, LayerSettings]
    base_sha256: str
    architecture: dict[str, Any]
    encoder_fingerprint: str = ""
    domain: dict[str, Any] = field(default_factory=dict)
    batchnorm: Literal["frozen", "adapt"] = "frozen"
    dtype: StoredType = "float32"
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    format: str = _FORMAT

    def __post_init__(self) -> None:
        if self.domain and not (type(self.domain.get("id")) is int and isinstance(self.domain.get("name"), str)):
            raise ValueError(f"domain must have an integer id and a string name, not {self.domain}")
        if not isinstance(self.metrics.get("val_sdri"), (int, float, type(None))):
            raise ValueError(f"val_sdri must be a number, in dB, not {self.metrics['val_sdri']!r}")


@dataclass(frozen=True)
class LoadedAdapter:
    """An adapter in memory.

    Attributes:
        layers: {path of a layer: its adapter}.
        statistics: the batch-norm statistics that differ from the base's: {path of the buffer: tensor}.
        info: its description.
    """

    layers: dict[str, Adapter]
    statistics: dict[str, Tensor]
    info: AdapterInfo

    def to(self, device: torch.device) -> LoadedAdapter:
        layers = {path: adapter.to(device) for path, adapter in self.layers.items()}
        return replace(self, layers=layers, statistics={k: v.to(device) for k, v in self.statistics.items()})


def save_adapter(folder: Path | str, adapter: LoadedAdapter) -> None:
    """Write an adapter folder; the description is written last, so that a folder with one is complete.

    Raises:
        InputError: the folder cannot be written, or the dtype cannot represent a value.
        RunError: the disk is full.
    """
    folder = Path(folder)
    dtype = getattr(torch, adapter.info.dtype)
    tensors = {key: tensor.to(dtype) for key, tensor in adapter_state(adapter.layers).items()}
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{folder}: {key} contains values beyond {adapter.info.dtype}; save it as bfloat16")
    tensors |= {STATISTICS + name: tensor for name, tensor in adapter.statistics.items()}
    make_folder(folder)
    remove_file(folder / DESCRIPTION)  # an earlier description would not match the new tensors
    write_safetensors(folder / WEIGHTS, tensors, {"format": _FORMAT})
    write_json(folder / DESCRIPTION, to_mapping(adapter.info))


def load_adapter(folder: Path | str, network: BaseModel, base_sha256: str) -> LoadedAdapter:
    """Read an adapter folder for a network, which is not changed.

    Raises:
        InputError: a file is missing or damaged, or the adapter belongs to another base (both hashes are shown).
    """
    folder = Path(folder)
    info = read_description(folder)
    # An adapter fits whatever level its base hears recordings at.
    shape = {key: value for key, value in to_mapping(network.config).items() if key != "input_level_db"}
    described = {"name": ResUNet30Config.name, **info.architecture}  # files of version 0.1 do not name the network
    differing = [key for key, value in shape.items() if described.get(key) != value]
    if info.base_sha256 != base_sha256 or differing:
        other = f" of another configuration ({some(differing)})" if differing else ""
        raise InputError(
            f"{folder}: belongs to another base{other} ({shown_hash(info.base_sha256)}) than {network.source}"
            f" ({base_sha256[:12]}…); give --base-checkpoint the base it was trained on"
        )
    where = str(folder / WEIGHTS)
    remedy = "the adapter folder is incomplete, so train or import the adapter again"
    tensors, _ = read_tensors(require_file(folder / WEIGHTS, remedy=remedy))
    _check_ranks(info, network, tensors, where)
    layers = make_adapters(network, info.method, info.layers)
    statistics = {k.removeprefix(STATISTICS): v for k, v in tensors.items() if k.startswith(STATISTICS)}
    own = statistics_of(network)
    for name in statistics:
        if name not in own:
            raise InputError(f"{where}: {name!r} is not a batch-norm statistic of this network; the file is damaged")
    require_layout({name: own[name] for name in statistics}, statistics, where)
    require_finite(statistics, where)
    state = {key: tensor for key, tensor in tensors.items() if not key.startswith(STATISTICS)}
    load_adapter_state(layers, in_dtype(state, torch.float32), where)
    return LoadedAdapter(layers, statistics, info)


def stored_fingerprint(folder: Path) -> str:
    """The hash of an adapter folder, :func:`fingerprint` of what it contains; InputError if it is damaged."""
    tensors = in_dtype(read_tensors(folder / WEIGHTS)[0], torch.float32)
    return fingerprint(read_description(folder), {key.removeprefix(STATISTICS): v for key, v in tensors.items()})


def fingerprint(info: AdapterInfo, tensors: Mapping[str, Tensor]) -> str:
    """The sha256 over an adapter's tensors and statistics, as float32, and the settings of its layers."""
    return tensors_sha256(tensors, [info.method, to_mapping(info.layers)])


def _check_ranks(info: AdapterInfo, network: BaseModel, tensors: Mapping[str, Tensor], where: str) -> None:
    """Reject ranks that the tensors do not have before allocating memory for them."""
    method = find_method(info.method, f"{where}: method")
    for path, settings in info.layers.items():
        layer_at(network, path)
        own = {name.removeprefix(f"{path}."): tensor for name, tensor in tensors.items() if name.startswith(f"{path}.")}
        if method.settings_from(own).get("rank", settings.rank) != settings.rank:
            raise InputError(f"{where}: {path} has no factors of rank {settings.rank}; the folder's files do not match")


def read_description(folder: Path | str) -> AdapterInfo:
    """Read ``adapter.json``; InputError if it is missing, damaged, or not a description of an adapter."""
    path = Path(folder) / DESCRIPTION
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(f"{path}: not a description of an adapter (expected format {_FORMAT!r})")
    return from_mapping(AdapterInfo, content, str(path))


def require_separate_output(output: Path, *sources: str | Path) -> None:
    """Raise InputError if writing an output would overwrite a file or adapter folder that it is made from."""
    written = resolved(output)
    for source in (resolved(source) for source in sources):
        within = written.parent == source and written.name in (WEIGHTS, DESCRIPTION)
        if written == source or within or (output.exists() and source.exists() and output.samefile(source)):
            raise InputError(f"--output {output}: would overwrite its own source {source}; give another output")
