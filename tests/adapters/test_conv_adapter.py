"""The bottleneck of Conv-Adapter; its output is tested in tests/adapters/test_base.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.conv_adapter import ConvAdapter
from dplass_cli.errors import InputError


def test_gamma_divides_the_inner_channels() -> None:
    adapter = ConvAdapter(nn.Conv2d(6, 10, 3, padding=1), LayerSettings(1, 1.0, gamma=2))
    assert (adapter.down.shape, adapter.up.shape) == ((3, 6, 1, 1), (10, 3, 1, 1))
    assert ConvAdapter.settings_from(adapter.state_dict()) == {"gamma": 2}


def test_a_gamma_that_leaves_no_channel_is_refused() -> None:
    with pytest.raises(InputError, match=r"adapter\.gamma 9: leaves no channel inside a layer of 4 inputs"):
        ConvAdapter(nn.Conv2d(4, 4, 3), LayerSettings(1, 1.0, gamma=9))


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ConvTranspose2d(4, 6, 2, stride=2)])
def test_the_branch_has_the_shape_of_the_layers_output(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    x = torch.randn(2, 4, 8, 8)
    assert ConvAdapter(layer, LayerSettings(1, 1.0))(x).shape == layer(x).shape
