"""Fingerprints of weights: equal tensors have the same hash, whatever file format they are stored in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def tensors_sha256(tensors: Mapping[str, Tensor], configuration: Any = None) -> str:
    """Hash tensors by name, dtype, shape and bytes, in the order of their names.

    Args:
        tensors: {name: tensor}.
        configuration: a JSON-serialisable value that is hashed too; None adds nothing.

    Returns:
        sha256 in hexadecimal.
    """
    digest = hashlib.sha256()
    if configuration is not None:
        digest.update(json.dumps(configuration, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{list(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
