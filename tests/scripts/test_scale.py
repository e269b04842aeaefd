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
    prices = dict.fromkeys(("gpu_hour", "core_hour", "gb_month", "million_requests"))
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


def test_only_what_has_a_price_is_priced() -> None:
    assert "## Cost" not in scale.text(RATES, given())
    priced = scale.text(RATES, given(gpu_hour=2.0))
    assert "| GPUs, by the hours that they compute | 13 GPU hours | 2 | 26 |" in priced
    assert "core hours | " not in priced.partition("## Cost")[2].partition("## Rates")[0]
