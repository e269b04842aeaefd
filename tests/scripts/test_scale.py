"""The arithmetic of docs/scale.md."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import scale


def given(**changed: Any) -> argparse.Namespace:
    """Round assumptions: a GPU does a million multiply-accumulates per second."""
    assumed = {"clips": 3600, "captions": 0, "epochs": 2, "segment": 2.0, "largest": 0.5, "tflops": 2e-6}
    prices = {"gpu_hour": 2.0, "core_hour": 0.5, "gb_month": 0.01, "million_requests": 10.0}
    return argparse.Namespace(**{**assumed, "utilisation": 1.0, "cores": 4, **prices, **changed})


RATES = scale.Rates(0.1, 1.0, 2.0, 1e6, 2e6, 0.5, 0.0, 0.0, 9.0, 1e6, 1e6, 500.0, 100.0)


def test_the_page_is_what_the_script_writes() -> None:
    page = Path(__file__).parents[2] / "docs" / "scale.md"
    rates = scale.Rates(**json.loads(scale.RATES.read_text(encoding="utf-8")))
    assert page.read_text(encoding="utf-8").partition(scale.MARK)[2] == "\n" + scale.text(
        rates, scale.parser().parse_args([])
    )


def test_work_is_clips_times_rates() -> None:
    steps = {step.name: step for step in scale.stages(RATES, given())}
    assert steps["prepare --convert"].core_hours == 2.0
    assert steps["prepare --convert"].requests == 7200
    assert steps["embed"].gpu_hours == 1.0
    training = steps["train, 2 epochs"]
    assert (training.core_hours, training.gpu_hours, training.requests) == (1.0, 3 * 2 * 2.0, 14400)


@pytest.mark.parametrize(("gpus", "hours"), [(1, 12.0), (4, 3.0), (7, 6.0), (8, 6.0), (14, 3.0)])
def test_the_largest_domain_ends_last(gpus: int, hours: float) -> None:
    training = scale.stages(RATES, given())[-1]
    assert scale.hours_on(training, gpus, given()) == pytest.approx(hours)


def test_cores_limit_a_step_that_only_reads() -> None:
    training = replace(scale.stages(RATES, given())[-1], core_hours=400.0)
    assert scale.hours_on(training, 1, given()) == 100.0


def test_gpus_are_paid_until_the_last_is_done() -> None:
    steps = scale.stages(RATES, given())
    hours = sum(scale.hours_on(step, 8, given()) for step in steps)
    costs = scale.text(RATES, given()).partition("## Cost")[2]
    assert f"| 8 GPUs for {scale.number(hours)} hours | {scale.number(8 * hours)} GPU hours | 2 |" in costs
    preparing = 0.1 + 1.0 + 2.0  # hours of a core per second and clip, for 3,600 clips
    cost = scale.number(preparing * 0.5)
    assert f"| prepare, on cores without a GPU | {preparing:g} core hours | 0.5 | {cost} |" in costs
