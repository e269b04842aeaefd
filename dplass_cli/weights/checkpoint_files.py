"""Reading, writing and hashing weights: AudioSep's Lightning checkpoint, a plain state dict, or safetensors."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dplass_cli.errors import InputError, RunError, first_line, shown, some
from dplass_cli.storage import atomic_path, require_file

NETWORK_PREFIX = "ss_model."
"""Prefix of the separation network's tensors in AudioSep's checkpoint."""

# STFT kernels and windows that AudioSep and LaSAFT store as weights; here the transform is an FFT.
_TRANSFORM_KERNELS = re.compile(r"^(base\.)?(stft|istft)\.")

# Training loops store numpy scalars next to the weights (epoch, best loss); unpickling a number runs no code. The
# function has one name in numpy 1 and another in numpy 2.
_NUMPY_SCALAR = np.float64(0).__reduce__()[0]
_PLAIN_NUMBERS: list[Any] = [
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),
    (_NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(code)) for code in "?bhilqBHILQefd"},
]


def is_transform_kernel(key: str) -> bool:
    """Whether a tensor with this name is an STFT kernel."""
    return _TRANSFORM_KERNELS.match(key) is not None


def read_tensors(path: Path | str, trust: bool = False, mapped: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a file of weights.

    Args:
        path: a safetensors file, or a file saved by ``torch.save``.
        trust: read a pickled file without ``weights_only=True``; such a file can run arbitrary code.
        mapped: memory-map the tensors of a pickled file, for callers that copy only a few of them.

    Returns:
        (content by key, metadata of a safetensors file or {}).

    Raises:
        InputError: the file is missing, empty, damaged or unreadable, or contains objects that are not weights.
    """
    path = require_file(path, "checkpoint")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the checkpoint is empty (0 bytes); fetch it again")
    start = _first_bytes(path)
    if kind := next((kind for prefix, kind in _NOT_WEIGHTS.items() if start.lower().startswith(prefix)), None):
        raise InputError(f"{path}: {kind}, not a checkpoint; fetch the file itself")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if not start.startswith(_PICKLED):
        raise InputError(f"{path}: not a checkpoint (neither safetensors nor saved by PyTorch); check the path")
    try:
        with torch.serialization.safe_globals(_PLAIN_NUMBERS):
            # Files written by PyTorch before 1.6 cannot be mapped, and Windows replaces no file that is mapped.
            mmap = mapped and sys.platform != "win32" and zipfile.is_zipfile(path)
            _require_uncompressed(path)
            content = torch.load(path, map_location="cpu", weights_only=not trust, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: damaged, or contains more than plain weights; if you trust its source, read it with"
            " --trust-checkpoint"
        ) from error
    except Exception as error:  # damaged pickles can raise anything
        raise InputError(f"{path}: not a readable checkpoint ({first_line(error)}); fetch it again") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: contains a {type(content).__name__}, not a state dict; give a checkpoint of weights")
    for part in (content, *content.values()):
        if isinstance(part, Mapping):
            _require_plain(part, path)
    return dict(content), {}


_DTYPES = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
}


def _require_uncompressed(path: Path) -> None:
    """Reject a zip bomb: PyTorch stores records uncompressed, but reads compressed ones too."""
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return
    with zipfile.ZipFile(path) as archive:
        if sum(record.file_size for record in archive.infolist()) > path.stat().st_size:
            raise ValueError("its records are compressed, which PyTorch never does")


def _require_plain(tensors: Mapping[Any, Any], path: Path) -> None:
    """Reject tensors that are not dense real numbers (sparse, quantised, complex), or do not have all their values.

    A tensor of a few bytes can be expanded to billions of values; copying it would exhaust the memory.
    """
    for key, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            continue
        plain = tensor.layout == torch.strided and tensor.dtype in _DTYPES and tensor.device.type == "cpu"
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise InputError(
                f"{path}: {shown(key)} is not a plain tensor ({tensor.dtype}, {tensor.layout}); fetch it again"
            )


# PyTorch saves a zip archive or, before 1.6, a pickle of protocol 2 or later.
_PICKLED = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_NOT_WEIGHTS = {
    b"version https://git-lfs": "a Git LFS pointer",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
}


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(32)
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); check the file and its permissions") from error


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as archive:
            tensors, metadata = {key: archive.get_tensor(key) for key in archive.keys()}, archive.metadata()  # noqa: SIM118
            if sys.platform == "win32":  # the tensors map the file, which could not be replaced while they exist
                tensors = {key: tensor.clone() for key, tensor in tensors.items()}
    except Exception as error:  # its own errors, and those of creating tensors from its header
        raise InputError(f"{path}: not a readable safetensors file ({first_line(error)}); fetch it again") from error
    _require_plain(tensors, path)
    return tensors, metadata or {}


def read_base_state(path: Path | str, trust: bool = False) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the separation network's tensors from a Lightning checkpoint, a plain state dict or safetensors.

    In a Lightning checkpoint the network is under ``state_dict``, in AudioSep's with the prefix ``ss_model.``;
    ``query_encoder.*`` and the state of the training loop are ignored. STFT kernels are left out by name.

    Returns:
        ({published key: tensor}, metadata of a safetensors file, or ``hyper_parameters`` of a Lightning checkpoint).
    """
    content, found = read_tensors(path, trust)
    metadata: dict[str, Any] = dict(found)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise InputError(f"{path}: 'state_dict' is a {type(state).__name__}, not a mapping of tensors")
    for key in state:
        if not isinstance(key, str):
            raise InputError(
                f"{path}: {shown(key)} is not the name of a tensor; expected AudioSep's checkpoint or a state dict"
            )
    own = {key.removeprefix(NETWORK_PREFIX): value for key, value in state.items() if key.startswith(NETWORK_PREFIX)}
    state = own or state
    not_tensors = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if not_tensors:
        raise InputError(f"{path}: {not_tensors[0]!r} is not a tensor; expected AudioSep's checkpoint or a state dict")
    hyper_parameters = content.get("hyper_parameters")
    if isinstance(hyper_parameters, Mapping):
        metadata["hyper_parameters"] = dict(hyper_parameters)
    return {key: value for key, value in state.items() if not is_transform_kernel(key)}, metadata


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], where: str, assign: bool = False) -> None:
    """Load a state dict that must have exactly the module's keys and shapes.

    ``num_batches_tracked`` counters may be missing, since no forward pass reads them. ``assign`` makes the tensors
    themselves the module's parameters instead of copying them, for a module on the device ``meta``.

    Raises:
        InputError: keys are missing or unexpected, shapes differ (the first ones are listed), or values are not finite.
    """
    own = module.state_dict()
    require_layout(own, state, where)
    require_finite(state, where)
    absent = {key: torch.zeros_like(own[key], device="cpu") for key in own if key not in state}
    module.load_state_dict({**absent, **state}, assign=assign)


def require_finite(state: Mapping[str, Tensor], where: str) -> None:
    """Raise InputError if a tensor contains NaN or infinity."""
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{where}: {key} contains values that are not finite; the file is damaged")


def require_layout(own: Mapping[str, Tensor], state: Mapping[str, Tensor], where: str, kind: str = "weights") -> None:
    """Check that a state dict has the keys and shapes of ``own``, which may be on the device ``meta``.

    Messages start with ``where`` and say that it is not ``kind`` of this network.

    Raises:
        InputError: keys are missing or unexpected, or shapes differ; the first ones are listed.
    """
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    if missing or unexpected:
        raise InputError(
            f"{where}: not {kind} of this network; missing: {some(missing, 3) or 'none'};"
            f" unexpected: {some(unexpected, 3) or 'none'}; give {kind} of this network, or its configuration"
        )
    for key, expected in own.items():
        if key in state and state[key].shape != expected.shape:
            raise InputError(
                f"{where}: {key} has shape {list(state[key].shape)}, this network needs {list(expected.shape)};"
                " the file belongs to a network of another configuration"
            )


def described_config(metadata: Mapping[str, Any], path: Path | str) -> dict[str, Any]:
    """The configuration stored as JSON in a file's metadata; {} if there is none; InputError if it is not an object."""
    try:
        config = json.loads(metadata.get("config", "{}"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise InputError(f"{path}: the configuration in its metadata is not a JSON object; fetch the file again")
    return config


def in_dtype(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Convert floating-point tensors to a dtype; integer tensors stay as they are."""
    return {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def write_safetensors(path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors with metadata, atomically; metadata values that are not strings are stored as JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    with atomic_path(path) as temporary:
        try:
            save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, temporary, texts)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise RunError(f"{path}: writing failed ({first_line(error)}); free space and run again") from error


def tensors_sha256(tensors: Mapping[str, Tensor], configuration: Any = None) -> str:
    """Hash tensors by name, dtype, shape and bytes, in the order of their names, whatever file they are stored in.

    The JSON of ``configuration`` is hashed too, unless it is None. Returns the sha256 in hexadecimal.
    """
    digest = hashlib.sha256()
    if configuration is not None:
        digest.update(json.dumps(configuration, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{list(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
