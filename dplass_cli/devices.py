"""Choosing the device to compute on, and this process's place among several."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import torch

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.model_options import Precision

_log = logging.getLogger(__name__)

_BFLOAT16_CAPABILITY = (8, 0)  # lowest CUDA compute capability with bfloat16 in hardware (Ampere)
_BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")  # names in torch.cpu.get_capabilities

CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
"""Where the Linux kernel states the memory limit of a container."""

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
"""Where the Linux kernel describes the NVIDIA driver, if there is one."""


def nvidia_driver(description: Path = NVIDIA_DRIVER) -> str | None:
    """The version of the NVIDIA driver; None if there is none, ``unknown`` if its description cannot be parsed."""
    if not description.exists():
        return None
    try:
        words = description.read_text(encoding="utf-8").splitlines()[0].split()
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
    """Whether convolutions run in bfloat16; ``auto`` means where the device multiplies bfloat16 in hardware.

    The choice of ``auto`` is logged. So is a warning if bfloat16 is asked for on a CPU that has to emulate it, which
    takes many times as long as float32.

    Raises:
        InputError: the precision is unknown.
    """
    check_choice("--precision", precision, get_args(Precision))
    in_hardware = has_bfloat16(device)
    if precision == "auto":
        _log.info("--precision auto: %s on %s", "bf16-mixed" if in_hardware else "32-true", device)
        return in_hardware
    if precision == "bf16-mixed" and device.type == "cpu" and not in_hardware:
        _log.warning(
            "--precision bf16-mixed: this CPU has no bfloat16 arithmetic, so it is slower than float32; use 32-true"
        )
    return precision == "bf16-mixed"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _BFLOAT16_CAPABILITY
    if device.type != "cpu":
        return False
    capabilities: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older PyTorch does not have it
    return any(capabilities.get(name, False) for name in _BFLOAT16_INSTRUCTIONS)


def device_memory(device: torch.device) -> int:
    """Bytes of memory of a device, or of this machine; 4 GiB where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 4 << 30
    try:
        limit = int(CONTAINER_MEMORY.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not in a container, or "max"
        return installed
    return min(installed, limit)


def process_device(name: str = "auto") -> torch.device:
    """Like :func:`choose_device`, but under ``torchrun`` and ``srun`` each process gets its own GPU."""
    device = choose_device(name)
    local = _number("LOCAL_RANK")
    if local is None and under_srun():
        # With --gpus-per-task a task sees no other GPU than its own, which is the first one to it.
        local = (_number("SLURM_LOCALID") or 0) % max(1, torch.cuda.device_count())
    return choose_device(f"cuda:{local}") if local is not None and str(device) == "cuda" else device


def process_share() -> tuple[int, int]:
    """This process's (rank, world size) under ``torchrun`` or ``srun``; (0, 1) otherwise.

    Platforms set ``RANK`` and ``WORLD_SIZE`` for processes that nobody has started together, so they count only next to
    the ``LOCAL_RANK`` of a launcher. Otherwise a warning says once that they are ignored.

    Raises:
        InputError: the rank is not below the world size, or a variable is not a number.
    """
    rank, world = _number("RANK"), _number("WORLD_SIZE")
    if rank is None or world is None or _number("LOCAL_RANK") is None:
        tasks = _number("SLURM_NTASKS") if under_srun() else None
        if tasks is None and None not in (rank, world) and world != 1:
            _warn_of_left_over(f"RANK={rank} and WORLD_SIZE={world}")
        return (0, 1) if tasks is None else (_number("SLURM_PROCID") or 0, tasks)
    if not rank < world:
        raise InputError(f"RANK={rank}: must be below WORLD_SIZE={world}; start the processes with torchrun")
    return rank, world


@functools.cache
def _warn_of_left_over(variables: str) -> None:
    _log.warning(
        "%s without LOCAL_RANK: this process was not started by torchrun or srun, so they are ignored", variables
    )


def process_rank(num_nodes: int = 1) -> int:
    """This process's rank among those that train together, under torchrun, srun or Lightning's launcher.

    A platform's ``RANK`` counts only in trainings on several nodes, which it starts.
    """
    local, rank = _number("LOCAL_RANK"), _number("RANK")
    if rank is not None and (local is not None or num_nodes > 1):
        return rank
    return (_number("SLURM_PROCID") if under_srun() else local) or 0


def launched_together() -> bool:
    """Whether torchrun or srun has started several processes for this run."""
    return process_share()[1] > 1 or (under_srun() and (_number("SLURM_NTASKS") or 1) > 1)


def require_launcher(num_nodes: int) -> None:
    """Check that something has started this process on several machines, or it would wait for the others in vain.

    Raises:
        InputError: it is a process of a SLURM job that ``srun`` has not started.
    """
    in_slurm = bool(os.environ.get("SLURM_JOB_ID", "").strip())
    if num_nodes > 1 and in_slurm and not under_srun() and _number("RANK") is None:
        raise InputError(
            f"--num-nodes {num_nodes}: this process of a SLURM job was not started by srun, so it is the only one;"
            " put srun before the command"
        )


def under_srun() -> bool:
    """Whether ``srun`` has started this process, and the other tasks of its job.

    SLURM sets ``SLURM_NTASKS`` in a batch script and in an interactive shell too, where there is one process.
    """
    tasks = _number("SLURM_STEP_NUM_TASKS")
    return tasks is not None and tasks == _number("SLURM_NTASKS")


def _number(variable: str) -> int | None:
    """The number in an environment variable; None if it is unset or empty."""
    text = os.environ.get(variable, "").strip()
    if text and not (text.isascii() and text.isdecimal()):
        raise InputError(f"{variable}={text}: must be a whole number; unset this environment variable")
    return int(text) if text else None
