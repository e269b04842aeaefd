"""The network in portable operations against the network itself."""

from __future__ import annotations

import pytest
import torch
from small_networks import SMALL, small_network

from dplass_cli import load_base
from dplass_cli.models.graph_export import OnnxWrapper
from dplass_cli.sounds import render


def test_the_wrapper_equals_the_tiny_network() -> None:
    network = load_base("tiny")
    mixture, condition = torch.from_numpy(render("rain", 1, 1.3, 32000))[None, None], torch.randn(1, 128)
    condition = torch.nn.functional.normalize(condition)
    with torch.no_grad():
        expected, wrapped = network(mixture, condition), OnnxWrapper(network)(mixture, condition)
    assert expected.abs().max() > 1e-3
    assert (wrapped - expected).abs().max() < 1e-5


@pytest.mark.parametrize("samples", [129, 1000, 1234])
def test_the_wrapper_takes_any_length(samples: int) -> None:
    network = small_network()
    mixture = torch.randn(2, 1, samples, generator=torch.Generator().manual_seed(0))
    condition = torch.ones(2, SMALL.condition_size)
    with torch.no_grad():
        torch.testing.assert_close(
            OnnxWrapper(network)(mixture, condition), network(mixture, condition), atol=1e-5, rtol=0
        )
