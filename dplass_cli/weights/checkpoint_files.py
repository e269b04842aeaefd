"""Reading and writing base checkpoints: AudioSep's Lightning file, a plain state dict, or safetensors."""

from __future__ import annotations

import json
import pickle
import re
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

NETWORK_PREFIX = "ss_model."  # of the separation network's tensors in AudioSep's checkpoint

# Transform kernels that the published network stores as weights; our transform is an FFT.
_TRANSFORM_KERNELS = re.compile(r"^base\.(stft|istft)\.")

# Training loops leave numbers of numpy beside the weights (epoch, best loss); a number runs no code. The first name is
# numpy 1's; numpy 2 moved it.
_NUMPY_SCALAR = np.float64(0).__reduce__()[0]
_PLAIN_NUMBERS: list[Any] = [
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),
    (_NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(code)) for code in "?bhilqBHILQefd"},
]


def is_transform_kernel(key: str) -> bool:
    """Whether a tensor of this name is a kernel of the transform."""
    return _TRANSFORM_KERNELS.match(key) is not None


def read_tensors(path: Path | str, trust: bool = False, mapped: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a file of weights: (its content by key, its safetensors metadata or {}).

    Pickled files are read with ``weights_only=True``; ``trust`` lets one run code of its own, so it is for files that
    the user vouches for. ``mapped`` leaves the tensors of a pickled file on the disk until they are read: for a caller
    that copies the few it needs.

    Raises:
        InputError: the file is missing, empty, damaged, may not be read, or holds objects that are not weights.
    """
    path = require_file(path, "checkpoint")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the checkpoint is empty (0 bytes); fetch it again")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if not _looks_pickled(path):
        raise InputError(f"{path}: not a checkpoint (neither safetensors nor what PyTorch saves); check the path")
    try:
        with torch.serialization.safe_globals(_PLAIN_NUMBERS):
            mmap = mapped and zipfile.is_zipfile(path)  # files of PyTorch before 1.6 cannot be mapped
            _require_as_large_as_it_says(path)
            content = torch.load(path, map_location="cpu", weights_only=not trust, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: not a checkpoint of plain weights, or damaged; if you trust where it comes from,"
            " read it with --trust-checkpoint"
        ) from error
    except Exception as error:  # damaged pickles fail in any way that their bytes can spell
        raise InputError(f"{path}: not a readable checkpoint ({first_line(error)}); fetch it again") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a state dict; give a checkpoint of weights")
    for part in (content, *content.values()):
        if isinstance(part, Mapping):
            _require_plain(part, path)
    return dict(content), {}


_DTYPES = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
}


def _require_as_large_as_it_says(path: Path) -> None:
    """Refuse a zip whose records are more than the file: PyTorch stores them as they are, and would inflate others.

    Raises:
        ValueError: it is one. BadZipFile: it is no whole zip.
    """
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return
    with zipfile.ZipFile(path) as archive:
        if sum(record.file_size for record in archive.infolist()) > path.stat().st_size:
            raise ValueError("its records are compressed, which PyTorch never does")


def _require_plain(tensors: Mapping[Any, Any], path: Path) -> None:
    """Refuse tensors that are no plain numbers: sparse, quantised, complex ones, and those that lack their values.

    A tensor of a few bytes can say that it is repeated a billion times; copying it would take the memory.

    Raises:
        InputError: there is one.
    """
    for key, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            continue
        plain = tensor.layout == torch.strided and tensor.dtype in _DTYPES and tensor.device.type == "cpu"
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise InputError(
                f"{path}: {shown(key)} is no plain tensor ({tensor.dtype}, {tensor.layout}); fetch it again"
            )


def _looks_pickled(path: Path) -> bool:
    """Whether a file begins as PyTorch's do: a zip archive, or (before 1.6) a pickle of protocol 2 or later.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from error


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as archive:
            tensors, metadata = {key: archive.get_tensor(key) for key in archive.keys()}, archive.metadata()  # noqa: SIM118
    except Exception as error:  # its own errors, and those of making tensors of what it says
        raise InputError(f"{path}: not a readable safetensors file ({first_line(error)}); fetch it again") from error
    _require_plain(tensors, path)
    return tensors, metadata or {}


def read_base_state(path: Path | str, trust: bool = False) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the separation network's tensors from any of the three forms: ({published key: tensor}, metadata).

    In a Lightning file the network lies under ``state_dict`` with the prefix ``ss_model.``; ``query_encoder.*`` and the
    loop's state belong to others. Transform kernels are left out by name.

    Raises:
        InputError: as :func:`read_tensors`, or nothing in the file belongs to a separation network.
    """
    content, metadata = read_tensors(path, trust)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise InputError(f"{path}: 'state_dict' is a {type(state).__name__}, not a mapping of tensors")
    for key in state:
        if not isinstance(key, str):
            raise InputError(
                f"{path}: {shown(key)} is not a name of a tensor; expected AudioSep's checkpoint or a state dict"
            )
    own = {key.removeprefix(NETWORK_PREFIX): value for key, value in state.items() if key.startswith(NETWORK_PREFIX)}
    state = own or state
    not_tensors = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if not_tensors:
        raise InputError(f"{path}: {not_tensors[0]!r} is not a tensor; expected AudioSep's checkpoint or a state dict")
    return {key: value for key, value in state.items() if not is_transform_kernel(key)}, metadata


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], where: str, assign: bool = False) -> None:
    """Fill a module from a state dict of exactly its keys and shapes.

    ``num_batches_tracked`` counters may be absent: no forward reads them. ``assign`` makes the tensors themselves the
    module's instead of copying them, for a module that was built without values (device ``meta``).

    Raises:
        InputError: lists the first missing, unexpected or misshapen keys; begins with ``where``.
    """
    own = module.state_dict()
    require_layout(own, state, where)
    for key, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{where}: {key} holds values that are not finite; the file is damaged")
    absent = {key: torch.zeros_like(own[key], device="cpu") for key in own if key not in state}
    module.load_state_dict({**absent, **state}, assign=assign)


def require_layout(own: Mapping[str, Tensor], state: Mapping[str, Tensor], where: str) -> None:
    """Check that a state dict has the keys and shapes of a network's own, whose values do not matter.

    Raises:
        InputError: lists the first missing, unexpected or misshapen keys; begins with ``where``.
    """
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    if missing or unexpected:
        raise InputError(
            f"{where}: not weights of this network; missing: {some(missing, 3) or 'none'};"
            f" unexpected: {some(unexpected, 3) or 'none'}; give a checkpoint of it, or the configuration of this one"
        )
    for key, tensor in state.items():
        if tensor.shape != own[key].shape:
            raise InputError(
                f"{where}: {key} has shape {list(tensor.shape)}, the network needs {list(own[key].shape)};"
                " the checkpoint belongs to another configuration"
            )


def described_config(metadata: Mapping[str, str], path: Path | str) -> dict[str, Any]:
    """The configuration that a file's metadata holds as JSON; {} where there is none.

    Raises:
        InputError: it is not a JSON object.
    """
    try:
        config = json.loads(metadata.get("config", "{}"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise InputError(f"{path}: the configuration in its metadata is not a JSON object; fetch the file again")
    return config


def in_dtype(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Weights in a floating-point dtype; integer tensors stay."""
    return {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def write_safetensors(path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors with metadata (values that are not texts as JSON), atomically.

    Raises:
        InputError: the folder cannot be written. RunError: the disk is full.
    """
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    with atomic_path(path) as temporary:
        try:
            save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, temporary, texts)
        except SafetensorError as error:  # what the library makes of a full disk
            raise RunError(f"{path}: writing failed ({first_line(error)}); free space and run again") from error
