"""Which devices train: Lightning's device arguments, and the split of GPUs among domains trained in parallel."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dplass_cli.devices import choose_device
from dplass_cli.errors import InputError


@dataclass(frozen=True)
class Hardware:
    """Lightning's device arguments for one training.

    Attributes:
        accelerator: ``cpu``, ``gpu``, ``mps`` or ``auto``.
        devices: number of devices per node (on a CPU, processes), or their indices.
        nodes: number of machines.
        strategy: ``auto`` or ``ddp``.
    """

    accelerator: str = "auto"
    devices: int | list[int] = 1
    nodes: int = 1
    strategy: str = "auto"

    @classmethod
    def choose(cls, device: str, num_gpus: int, num_nodes: int, strategy: str) -> Hardware:
        """Choose from the command line's options.

        Args:
            device: as :func:`dplass_cli.devices.choose_device`.
            num_gpus: devices per node (on a CPU, processes); 0 is one.
            num_nodes: number of machines.
            strategy: ``auto`` or ``ddp``.

        Raises:
            InputError: the device does not exist, or there are fewer CUDA devices than requested.
        """
        chosen = choose_device(device)
        if chosen.type == "cuda" and num_gpus > torch.cuda.device_count():
            raise InputError(f"--num-gpus {num_gpus}: torch sees {torch.cuda.device_count()} CUDA devices; use fewer")
        if chosen.type == "cpu" and device != "cpu" and num_gpus > 1:
            raise InputError(
                f"--num-gpus {num_gpus}: torch sees no GPU; with --device cpu this is a number of processes"
            )
        devices: int | list[int] = num_gpus or 1
        if chosen.index is not None and chosen.type == "cuda":
            devices = [chosen.index]
        return cls({"cuda": "gpu", "mps": "mps"}.get(chosen.type, "cpu"), devices, num_nodes, strategy)

    @property
    def world_size(self) -> int:
        """Number of processes that train together."""
        return self.nodes * (self.devices if isinstance(self.devices, int) else len(self.devices))


def count_gpus(device: str, num_gpus: int) -> int:
    """Number of GPUs that domains can be spread over.

    Args:
        device: only ``cuda`` (or ``auto`` with GPUs present) means several; a numbered or non-CUDA device means none.
        num_gpus: at most this many; 0 is all.
    """
    if choose_device(device) != torch.device("cuda"):
        return 0
    return min(num_gpus or torch.cuda.device_count(), torch.cuda.device_count())


def parallel_devices(device: str, num_gpus: int, count: int) -> list[str]:
    """Device names for ``count`` trainings at the same time: GPUs in turn, or ``device`` for each."""
    gpus = count_gpus(device, num_gpus)
    return [f"cuda:{place % gpus}" if gpus else device for place in range(count)]
