"""The measurements of separating files, of a small network on processors with and without bfloat16."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_banks import CONFIG
from small_networks import small_network

from benchmarks.separating import arithmetics, backends, one_core, separation
from dplass_cli.encoders import load_encoder
from dplass_cli.extras import missing_libraries
from dplass_cli.models import quantization
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.separator import Separator

pytestmark = pytest.mark.filterwarnings("ignore:::nncf", "ignore:::torch")


@pytest.fixture(params=["float32 only", "bfloat16"])
def precisions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The float precisions that a processor is made for."""
    has_bfloat16 = request.param == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bfloat16}, raising=False)
    return ["32-true", "bf16-mixed"] if has_bfloat16 else ["32-true"]


def ways(precisions: list[str]) -> list[str]:
    """The backends installed here, with their precisions."""
    found = [f"{backend}_{precision}" for backend in backends(small_network()) for precision in precisions]
    return found + ["openvino_int8"] * (not missing_libraries("int8"))


def test_one_core_is_measured_in_every_way_and_with_every_policy(precisions: list[str]) -> None:
    bank, encoder = AdapterBank(small_network(config=CONFIG)), load_encoder("tiny")
    separators = {name: Separator(bank, encoder, make_policy("base")) for name in ("first", "second")}
    found = one_core(separators, 0.5, repeats=1)
    assert list(found) == [f"{way}_{name}_real_time_factor" for way in ways(precisions) for name in separators]
    assert all(value > 0 for value in found.values())
    assert bank.network.backbone.runner is None
    assert quantization.MAX_LOSS_DB < 1.0  # later measurements, and tests, are quantised as always


def test_a_precision_is_what_its_name_says(precisions: list[str], tmp_path: Path) -> None:
    bank = AdapterBank(small_network(config=CONFIG))
    separator = Separator(bank, load_encoder("tiny"), make_policy("base"), precision="bf16-mixed")
    found = {}
    for way in arithmetics([separator], tmp_path):
        found[way] = separator.core.bfloat16
    assert found == {way: way.endswith("bf16-mixed") for way in ways(precisions)}


def test_separation_is_compared_with_the_published_procedure(precisions: list[str]) -> None:
    network = small_network(config=CONFIG)
    found = separation(network, load_encoder("tiny"), 0.5, 6.0, repeats=1)
    fast = backends(network)[-1]
    assert {name for name in found if "faster" in name} == {
        f"{way}_{length}_times_faster"
        for way in ways(precisions)
        for length in ("short", "long")
        if length == "short" or way.startswith(fast)
    }
