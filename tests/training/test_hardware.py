"""Lightning's device arguments, and devices for domains trained in parallel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dplass_cli.errors import InputError
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.training.hardware import count_gpus, lightning_devices, parallel_devices, world_size


def chosen(device: str, num_gpus: int = 0, num_nodes: int = 1, strategy: Any = "auto") -> dict[str, Any]:
    options = TrainOptions(
        partition=Path(), workspace=Path(), device=device, num_gpus=num_gpus, num_nodes=num_nodes, strategy=strategy
    )
    return lightning_devices(options)


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch reports four CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


def test_a_cpu_trains_in_one_process_by_default() -> None:
    assert chosen("cpu") == {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto"}


def test_on_a_cpu_the_number_of_devices_is_a_number_of_processes() -> None:
    assert world_size(chosen("cpu", 3, 2, "ddp")) == 6


def test_several_gpus_on_a_machine_without_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"--num-gpus 2: torch sees no GPU; with --device cpu"):
        chosen("auto", 2)
    assert count_gpus("auto", 0) == 0


@pytest.mark.usefixtures("four_gpus")
def test_more_gpus_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match=r"--num-gpus 5: torch sees 4 CUDA devices; use fewer"):
        chosen("auto", 5, 1, "ddp")


@pytest.mark.usefixtures("four_gpus")
def test_a_numbered_gpu_trains_alone() -> None:
    devices = chosen("cuda:2")
    assert (devices["accelerator"], devices["devices"], world_size(devices)) == ("gpu", [2], 1)
    assert count_gpus("cuda:2", 0) == 0


@pytest.mark.usefixtures("four_gpus")
def test_domains_take_the_gpus_in_turn() -> None:
    assert parallel_devices("auto", 0, 6) == ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0", "cuda:1"]
    assert parallel_devices("cuda", 2, 3) == ["cuda:0", "cuda:1", "cuda:0"]


def test_without_gpus_domains_share_the_device() -> None:
    assert parallel_devices("cpu", 0, 2) == ["cpu", "cpu"]
