"""Which devices train: Lightning's device arguments, and the split of GPUs among domains trained in parallel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from dplass_cli.devices import choose_device
from dplass_cli.errors import InputError

if TYPE_CHECKING:
    from dplass_cli.options.train_options import TrainOptions


def lightning_devices(options: TrainOptions) -> dict[str, Any]:
    """Lightning's arguments ``accelerator``, ``devices``, ``num_nodes`` and ``strategy`` for one training.

    Raises:
        InputError: the device does not exist, or there are fewer CUDA devices than requested.
    """
    chosen, count = choose_device(options.device), options.num_gpus
    if chosen.type == "cuda" and count > torch.cuda.device_count():
        raise InputError(f"--num-gpus {count}: torch sees {torch.cuda.device_count()} CUDA devices; use fewer")
    if chosen.type == "cpu" and options.device != "cpu" and count > 1:
        raise InputError(f"--num-gpus {count}: torch sees no GPU; with --device cpu this is a number of processes")
    numbered = chosen.index is not None and chosen.type == "cuda"
    return {
        "accelerator": {"cuda": "gpu", "mps": "mps"}.get(chosen.type, "cpu"),
        "devices": [chosen.index] if numbered else count or 1,
        "num_nodes": options.num_nodes,
        "strategy": options.strategy,
    }


def world_size(devices: Mapping[str, Any]) -> int:
    """Number of processes that train together with these :func:`lightning_devices`."""
    per_node = devices["devices"]
    return int(devices["num_nodes"] * (per_node if isinstance(per_node, int) else len(per_node)))


def count_gpus(device: str, num_gpus: int) -> int:
    """Number of GPUs that domains can be spread over, at most ``num_gpus`` (0: all).

    Only ``cuda`` (or ``auto`` with GPUs present) means several; a numbered or non-CUDA device means none.
    """
    if choose_device(device) != torch.device("cuda"):
        return 0
    return min(num_gpus or torch.cuda.device_count(), torch.cuda.device_count())


def parallel_devices(device: str, num_gpus: int, count: int) -> list[str]:
    """Device names for ``count`` trainings at the same time: GPUs in turn, or ``device`` for each."""
    gpus = count_gpus(device, num_gpus)
    return [f"cuda:{place % gpus}" if gpus else device for place in range(count)]
