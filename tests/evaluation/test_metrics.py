"""SDR and SI-SDR against the published implementations' numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dplass_cli.evaluation.metrics import batch_scores, bss_sdr, sdr, si_sdr
from dplass_cli.separation.policies import Choice, make_policy

METRICS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "metrics.json").read_text())
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
FLOOR = {"float64": 130.0, "float32": 50.0}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", METRICS["cases"], ids=lambda case: case["name"])
def test_metrics_give_the_golden_values(case: dict[str, Any], dtype: str) -> None:
    reference, estimate = (np.array(case[name], dtype=dtype) for name in ("ref", "est"))
    assert sdr(reference, estimate) == pytest.approx(case[dtype]["sdr"], abs=TOLERANCE[dtype])
    if case["rounding_dominated_sisdr"]:
        assert si_sdr(reference, estimate) > FLOOR[dtype]
    else:
        assert si_sdr(reference, estimate) == pytest.approx(case[dtype]["sisdr"], abs=TOLERANCE[dtype])


@pytest.mark.parametrize("case", METRICS["cases"], ids=lambda case: case["name"])
def test_batches_give_the_golden_values(case: dict[str, Any]) -> None:
    reference, estimate = (torch.tensor([case[name]] * 2, dtype=torch.float32) for name in ("ref", "est"))
    plain, invariant = batch_scores(reference, estimate)
    assert plain.tolist() == pytest.approx([case["float32"]["sdr"]] * 2, abs=TOLERANCE["float32"])
    if case["rounding_dominated_sisdr"]:
        assert invariant.min() > FLOOR["float32"]
    else:
        assert invariant.tolist() == pytest.approx([case["float32"]["sisdr"]] * 2, abs=TOLERANCE["float32"])


def test_improvement_is_the_golden_one() -> None:
    sample = METRICS["derived_sample_metrics"]
    source, mixture, separated = (np.array(sample[name]) for name in ("source", "mixture", "separated"))
    improvement = sdr(source, separated) - sdr(source, mixture)
    assert improvement == pytest.approx(sample["sdri"], abs=1e-9)
    assert si_sdr(source, separated) == pytest.approx(sample["sisdr"], abs=1e-9)


def test_adapters_are_ranked_as_published() -> None:
    published = METRICS["aggregation"]["dp_lass_best_of_adapters"]
    scores = [candidate["sdri"] + candidate["sisdr"] for candidate in published["candidates"]]
    choice = Choice(torch.zeros(1), None, None, scores=dict(zip("abcd", scores, strict=True)))  # type: ignore[arg-type]
    assert make_policy("oracle").choose(choice) == "abcd"[published["selected_index"]]


def test_arrays_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        sdr(np.zeros(4), np.zeros(5))
    with pytest.raises(ValueError, match="one length"):
        si_sdr(np.zeros((1, 4)), np.zeros((1, 4)))


def test_integer_samples_are_refused() -> None:
    for measure in (sdr, si_sdr):
        with pytest.raises(ValueError, match=r"must be floating, .* not int16"):
            measure(np.full(4, 20000, np.int16), np.full(4, 19000, np.int16))


def test_bss_sdr_ignores_a_filter_but_not_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    reference, noise = torch.randn(2, 32000, generator=generator)
    reference[-100:] = 0.0
    delayed = 0.3 * torch.roll(reference, 40)
    assert bss_sdr(reference, delayed) > 40.0  # where the plain one is below zero
    assert sdr(reference.numpy(), delayed.numpy()) < 0.0
    noisy = delayed + noise * 0.3 * 10 ** (-12 / 20)
    assert bss_sdr(reference, noisy) == pytest.approx(12.0, abs=0.3)
    tone = torch.sin(torch.arange(32000) * 0.1)  # one band: a filter that is not determined
    assert bss_sdr(tone, tone + 0.1 * noise) == pytest.approx(17.0, abs=0.5)
