"""Choosing devices, and this process's place among several."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dplass_cli.devices import (
    choose_device,
    in_bfloat16,
    launched_together,
    nvidia_driver,
    process_device,
    process_rank,
    process_share,
)
from dplass_cli.errors import InputError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))


@pytest.mark.usefixtures("two_gpus")
def test_each_process_under_torchrun_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_device("cuda") == torch.device("cuda:1")
    assert process_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
def test_a_process_without_a_gpu_of_its_own_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="--device cuda:2: torch finds 2 CUDA devices on this machine"):
        process_device("cuda")


@pytest.mark.usefixtures("two_gpus")
def test_auto_prefers_cuda() -> None:
    assert choose_device("auto") == torch.device("cuda")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:x"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"--device {name}: not .*; use auto, cpu, cuda, cuda:N or mps"):
        choose_device(name)


@pytest.mark.usefixtures("two_gpus")
def test_auto_precision_is_bfloat16_only_where_the_hardware_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_bfloat16("auto", torch.device("cpu"))
    assert not in_bfloat16("auto", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert in_bfloat16("auto", torch.device("cuda"))
    assert in_bfloat16("bf16-mixed", torch.device("cpu"))


@pytest.mark.parametrize("variable", ["RANK", "SLURM_PROCID", "LOCAL_RANK"])
def test_the_rank_is_read_from_any_launcher(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_rank() == 0
    monkeypatch.setenv(variable, "3")
    assert process_rank() == 3


def test_one_process_has_rank_zero_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_share() == (0, 1)
    assert not launched_together()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert process_share() == (1, 2)
    assert launched_together()


def test_the_version_of_the_driver_is_read_from_the_kernels_description(tmp_path: Path) -> None:
    description = tmp_path / "version"
    assert nvidia_driver(description) is None
    description.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version: 12\n")
    assert nvidia_driver(description) == "535.104.05"
    description.write_text("")
    assert nvidia_driver(description) == "unknown"
