"""Choosing devices, and this process's place among several."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dplass_cli.devices import (
    choose_device,
    device_memory,
    in_bfloat16,
    launched_together,
    nvidia_driver,
    process_device,
    process_rank,
    process_share,
    require_launcher,
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


def test_the_memory_of_a_container_is_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.devices.CONTAINER_MEMORY", tmp_path / "memory.max")
    installed = device_memory(torch.device("cpu"))
    assert installed >= 1 << 28
    (tmp_path / "memory.max").write_text("max\n")
    assert device_memory(torch.device("cpu")) == installed
    (tmp_path / "memory.max").write_text(f"{1 << 27}\n")
    assert device_memory(torch.device("cpu")) == 1 << 27


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:x"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"--device {name}: not .*; use auto, cpu, cuda, cuda:N or mps"):
        choose_device(name)


CPU = torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
def test_auto_precision_is_bfloat16_only_on_gpus_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_bfloat16("auto", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert in_bfloat16("auto", torch.device("cuda"))


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, False),
    ],
)
def test_auto_precision_is_bfloat16_only_on_cpus_that_have_it(
    capabilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    caplog.set_level("INFO", "dplass_cli")
    assert in_bfloat16("auto", CPU) is expected
    assert caplog.messages == [f"--precision auto: {'bf16-mixed' if expected else '32-true'} on cpu"]


def test_bfloat16_on_a_cpu_without_it_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert in_bfloat16("bf16-mixed", CPU)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("--precision bf16-mixed: this CPU has no bfloat16 arithmetic")


def test_bfloat16_on_a_cpu_with_it_is_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert in_bfloat16("bf16-mixed", CPU)
    assert not in_bfloat16("32-true", CPU)
    assert not caplog.records


@pytest.mark.parametrize(
    "launched",
    [
        {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"},
        {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"},
        {"LOCAL_RANK": "3"},
    ],
)
def test_the_rank_is_read_from_any_launcher(launched: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_rank() == 0
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    assert process_rank() == 3


@pytest.mark.parametrize(
    "platform",
    [
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"RANK": "", "WORLD_SIZE": "", "LOCAL_RANK": "", "SLURM_NTASKS": ""},
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "1"},  # a batch script without srun
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "1"},  # an interactive shell
    ],
)
def test_variables_of_a_platform_are_not_a_launch(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    assert (process_rank(), process_share(), launched_together()) == (0, (0, 1), False)


def test_left_over_variables_are_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("WORLD_SIZE", "16")
    assert [process_share() for _ in range(2)] == [(0, 1), (0, 1)]
    assert caplog.messages == [
        "RANK=5 and WORLD_SIZE=16 without LOCAL_RANK: this process was not started by torchrun or srun, so they are"
        " ignored"
    ]


def test_tasks_of_srun_take_shares(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name, value in {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "RANK": ""}.items():
        monkeypatch.setenv(name, value)
    assert process_share() == (3, 4)
    assert launched_together()
    assert not caplog.messages


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("local", "device"), [("0", "cuda:0"), ("1", "cuda:1"), ("3", "cuda:1")])
def test_each_task_of_srun_takes_a_gpu_that_it_sees(local: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_LOCALID": local, "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}.items():
        monkeypatch.setenv(name, value)
    assert process_device("auto") == torch.device(device)


def test_several_machines_need_srun_in_a_slurm_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    require_launcher(1)
    with pytest.raises(InputError, match=r"--num-nodes 2: .* not started by srun, .*; put srun before the command"):
        require_launcher(2)
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    require_launcher(2)


def test_a_platform_starts_trainings_on_several_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert process_rank(num_nodes=2) == 1


def test_one_process_has_rank_zero_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_share() == (0, 1)
    assert not launched_together()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_share() == (1, 2)
    assert launched_together()


@pytest.mark.parametrize(("rank", "says"), [("one", "RANK=one: must be a whole"), ("2", "RANK=2: must be below")])
def test_a_rank_that_cannot_be_one_is_refused(rank: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=says):
        process_share()


def test_the_version_of_the_driver_is_read_from_the_kernels_description(tmp_path: Path) -> None:
    description = tmp_path / "version"
    assert nvidia_driver(description) is None
    description.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version: 12\n")
    assert nvidia_driver(description) == "535.104.05"
    description.write_text("")
    assert nvidia_driver(description) == "unknown"
