"""Choosing the device to compute on."""

from __future__ import annotations

import os
from typing import get_args

import torch

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import Precision

"""Of the convolutions, by Lightning's names; transforms, masks and norms of the input are float32 in any case."""

_BFLOAT16_SINCE = (8, 0)  # the compute capability (Ampere) from which the hardware does it


def choose_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device; ``auto`` is the best there is.

    Raises:
        InputError: no such device name, or the device is not on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"--device {name}: not a device; use auto, cpu, cuda, cuda:N or mps") from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise InputError(f"--device {name}: this machine shows {count} CUDA devices to torch; use auto or cpu")
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            raise InputError(f"--device {name}: not available on this machine; use auto or cpu")
    elif device.type != "cpu":
        raise InputError(f"--device {name}: not supported; use auto, cpu, cuda, cuda:N or mps")
    return device


def in_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether convolutions on a device compute in bfloat16: ``auto`` is on CUDA devices whose hardware does it.

    Raises:
        InputError: no such precision.
    """
    if precision not in get_args(Precision):
        raise InputError(f"--precision {precision}: must be one of {', '.join(get_args(Precision))}")
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _BFLOAT16_SINCE
    return precision == "bf16-mixed"


def process_device(name: str = "auto") -> torch.device:
    """:func:`choose_device` for this process: under ``torchrun``, one GPU a process."""
    device = choose_device(name)
    local = os.environ.get("LOCAL_RANK")
    return choose_device(f"cuda:{local}") if local is not None and str(device) == "cuda" else device


def process_share() -> tuple[int, int]:
    """Which of how many processes this is, as ``torchrun`` says: (rank, world)."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def process_rank() -> int:
    """This process's number among those that train together, under torchrun, SLURM or the trainer's own launcher."""
    return next((int(os.environ[name]) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK") if name in os.environ), 0)


def launched_together() -> bool:
    """Whether torchrun or SLURM has started several processes of this run."""
    return any(int(os.environ.get(name, "1") or 1) > 1 for name in ("WORLD_SIZE", "SLURM_NTASKS"))
