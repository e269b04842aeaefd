"""The adapter folder: ``adapter.safetensors`` with what differs from the base, ``adapter.json`` with what it is."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dplass_cli.adapters.base import Adapter, AdapterSettings
from dplass_cli.adapters.injection import adapter_state, load_adapter_state, make_adapters
from dplass_cli.configuration import from_mapping, to_mapping
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel
from dplass_cli.storage import read_json, write_json
from dplass_cli.weights.checkpoints import as_float32, read_tensors, write_safetensors

WEIGHTS, DESCRIPTION = "adapter.safetensors", "adapter.json"
_FORMAT = "dplass-adapter-1"


@dataclass(frozen=True)
class AdapterInfo:
    """What ``adapter.json`` says.

    Attributes:
        settings: method, rank, alphas.
        base_sha256, architecture: the base it belongs to, and its configuration.
        encoder_fingerprint: the encoder that its queries were embedded with.
        domain: {"id": …, "name": …} of the domain it was trained for; empty for none.
        batchnorm: ``frozen``: the base's statistics were kept.
        training, metrics, versions: how it was made, what it reached, with what.
    """

    settings: AdapterSettings
    base_sha256: str
    architecture: dict[str, Any]
    encoder_fingerprint: str
    domain: dict[str, Any] = field(default_factory=dict)
    batchnorm: str = "frozen"
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    format: str = _FORMAT


def versions() -> dict[str, str]:
    """Versions of what computes: Python and the packages that numbers depend on."""
    packages = {name: version(name) for name in ("torch", "torchaudio", "numpy", "soundfile")}
    return {"python": platform.python_version(), **packages}


def save_adapter(
    folder: Path | str, adapters: Mapping[str, Adapter], info: AdapterInfo, dtype: torch.dtype = torch.float32
) -> None:
    """Write an adapter folder; the description is written last, so that a folder with one is whole.

    Raises:
        InputError: the folder cannot be written. RunError: the disk is full.
    """
    folder = Path(folder)
    write_safetensors(
        folder / WEIGHTS,
        {key: tensor.to(dtype) for key, tensor in adapter_state(adapters).items()},
        {"format": _FORMAT},
    )
    write_json(folder / DESCRIPTION, to_mapping(info))


def load_adapter(folder: Path | str, network: BaseModel, base_sha256: str) -> tuple[dict[str, Adapter], AdapterInfo]:
    """Read an adapter folder for a network: ({layer path: adapter}, description); the network is not touched.

    Raises:
        InputError: a missing or damaged file, an adapter of another base (both hashes are shown) or width.
    """
    folder = Path(folder)
    info = from_mapping(AdapterInfo, _description(folder / DESCRIPTION), str(folder / DESCRIPTION))
    if info.base_sha256 != base_sha256:
        raise InputError(
            f"{folder}: belongs to another base ({info.base_sha256[:12]}…) than {network.source}"
            f" ({base_sha256[:12]}…); give --base-checkpoint the base it was trained on"
        )
    adapters = make_adapters(network, info.settings)
    tensors, _ = read_tensors(folder / WEIGHTS)
    load_adapter_state(adapters, as_float32(tensors), str(folder / WEIGHTS))
    for adapter in adapters.values():
        adapter.eval().requires_grad_(False)
    return adapters, info


def _description(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(f"{path}: not a description of an adapter (no format {_FORMAT!r})")
    return content
