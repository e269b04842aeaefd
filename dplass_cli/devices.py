"""Choosing the device to compute on, and this process's place among several."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import torch

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.model_options import Precision

_BFLOAT16_CAPABILITY = (8, 0)  # lowest CUDA compute capability with bfloat16 in hardware (Ampere)

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
"""Where the Linux kernel describes the NVIDIA driver, if there is one."""


def nvidia_driver(description: Path = NVIDIA_DRIVER) -> str | None:
    """The version of the NVIDIA driver; None if there is none, ``unknown`` if its description cannot be parsed."""
    if not description.exists():
        return None
    try:
        words = description.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return "unknown"
    return next((word for word in words if word[0].isdigit()), "unknown")


def choose_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device; ``auto`` prefers CUDA, then MPS.

    Raises:
        InputError: the name is unknown, or this machine has no such device.
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
            raise InputError(f"--device {name}: torch finds {count} CUDA devices on this machine; use auto or cpu")
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            raise InputError(f"--device {name}: not available on this machine; use auto or cpu")
    elif device.type != "cpu":
        raise InputError(f"--device {name}: not supported; use auto, cpu, cuda, cuda:N or mps")
    return device


def in_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether convolutions run in bfloat16; ``auto`` means on CUDA devices that support it in hardware.

    Raises:
        InputError: the precision is unknown.
    """
    check_choice("--precision", precision, get_args(Precision))
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _BFLOAT16_CAPABILITY
    return precision == "bf16-mixed"


def process_device(name: str = "auto") -> torch.device:
    """Like :func:`choose_device`, but under ``torchrun`` each process gets its own GPU."""
    device = choose_device(name)
    local = os.environ.get("LOCAL_RANK")
    return choose_device(f"cuda:{local}") if local is not None and str(device) == "cuda" else device


def process_share() -> tuple[int, int]:
    """This process's (rank, world size) under ``torchrun``; (0, 1) otherwise."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def process_rank() -> int:
    """This process's rank among those that train together, under torchrun, SLURM or Lightning's launcher."""
    return next((int(os.environ[name]) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK") if name in os.environ), 0)


def launched_together() -> bool:
    """Whether torchrun or SLURM has started several processes for this run."""
    return any(int(os.environ.get(name, "1") or 1) > 1 for name in ("WORLD_SIZE", "SLURM_NTASKS"))
