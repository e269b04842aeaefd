"""Optimisers and schedules by name."""

from __future__ import annotations

import pytest
import torch

from dplass_cli.errors import InputError
from dplass_cli.options.train_settings import OptimizerSettings
from dplass_cli.training.optimizers import OPTIMIZERS, SCHEDULES, check_names


def rates(schedule: str, steps: list[int], total: int = 100, **settings: int) -> list[float]:
    return [SCHEDULES[schedule](step, OptimizerSettings(schedule=schedule, **settings), total) for step in steps]  # type: ignore[arg-type]


def test_audiosep_schedules() -> None:
    assert rates("constant_warm_up", [0, 9, 10, 20, 29, 30, 10**6], warm_up_steps=10) == [
        0.001, 0.001, 0.01, 0.1, 0.1, 1.0, 1.0,
    ]  # fmt: skip
    linear = rates("linear_warm_up", [0, 5, 10, 99, 100, 250], warm_up_steps=10, reduce_lr_steps=100)
    assert linear == pytest.approx([0.0, 0.5, 1.0, 1.0, 0.9, 0.81])


def test_cosine_warms_up_and_falls_to_nothing() -> None:
    assert rates("cosine", [0, 4, 9, 10, 55, 100], warm_up_steps=10) == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0])
    assert rates("cosine", [0, 50, 100]) == pytest.approx([1.0, 0.5, 0.0])
    assert rates("constant", [0, 1, 50], warm_up_steps=2) == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_descend(name: str) -> None:
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = OPTIMIZERS[name]([weight], OptimizerSettings(name, learning_rate=0.1))
    for _ in range(100):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert abs(weight.item()) < 0.5
    assert not optimizer.defaults["weight_decay"]
    assert optimizer.defaults.get("amsgrad", True)  # as published


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"optimizer_type AdmW: must be one of AdamW, Adam, SGD; did you mean 'AdamW'"):
        check_names(OptimizerSettings("AdmW"))
    with pytest.raises(InputError, match=r"schedule cosin: must be one of plateau, .*; did you mean 'cosine'"):
        check_names(OptimizerSettings(schedule="cosin"))
