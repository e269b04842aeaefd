"""The scale of ReConv; its output is tested in tests/adapters/test_base.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.weight_deltas import ReConv


@pytest.mark.parametrize(
    ("layer", "scale"), [(nn.Conv2d(2, 3, (3, 5)), 6.0 / (15 * 4)), (nn.Linear(2, 3), 6.0 / 4)], ids=["conv", "linear"]
)
def test_the_scale_is_alpha_over_the_kernels_area_and_the_rank(layer: nn.Conv2d | nn.Linear, scale: float) -> None:
    adapter = ReConv(layer, LayerSettings(4, 6.0))
    with torch.no_grad():
        adapter.kernel.fill_(1.0)
    torch.testing.assert_close(adapter(layer.weight) - layer.weight, torch.full_like(layer.weight, scale))


def test_the_tensors_determine_no_settings() -> None:
    assert ReConv.settings_from(ReConv(nn.Linear(2, 3), LayerSettings(4, 6.0)).state_dict()) == {}
