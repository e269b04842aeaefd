"""Where to train: the devices that a user's words stand for, and how domains share them."""

from __future__ import annotations

import torch

from dplass_cli.devices import choose_device
from dplass_cli.errors import InputError
from dplass_cli.training.side_by_side import DeviceShare
from dplass_cli.training.trainer import Hardware


def count_gpus(device: str, num_gpus: int) -> int:
    """The GPUs that are meant: ``num_gpus`` of them, 0 for all; none where the device is no CUDA device, or one."""
    if choose_device(device) != torch.device("cuda"):
        return 0
    return min(num_gpus or torch.cuda.device_count(), torch.cuda.device_count())


def choose_hardware(device: str, num_gpus: int, num_nodes: int, strategy: str) -> Hardware:
    """What one training runs on: ``num_gpus`` devices (on a CPU, processes) of each node, 0 for one.

    Raises:
        InputError: no such device, or fewer CUDA devices than asked for.
    """
    chosen = choose_device(device)
    if chosen.type == "cuda" and num_gpus > torch.cuda.device_count():
        raise InputError(f"--num-gpus {num_gpus}: torch sees {torch.cuda.device_count()} CUDA devices; ask for fewer")
    if chosen.type == "cpu" and device != "cpu" and num_gpus > 1:
        raise InputError(f"--num-gpus {num_gpus}: torch sees no GPU; with --device cpu it is a number of processes")
    devices: int | list[int] = num_gpus or 1
    if chosen.index is not None and chosen.type == "cuda":
        devices = [chosen.index]
    return Hardware({"cuda": "gpu", "mps": "mps"}.get(chosen.type, "cpu"), devices, num_nodes, strategy)


def share_out(device: str, num_gpus: int, count: int) -> list[DeviceShare]:
    """A place for each of ``count`` trainings at the same time: a GPU, taken in turn, or a part of the CPU."""
    gpus = count_gpus(device, num_gpus)
    threads = max(1, torch.get_num_threads() // count)
    return [DeviceShare(f"cuda:{place % gpus}" if gpus else device, threads) for place in range(count)]
