"""The moving average of weights: its updates, its use, and its place in a state dict."""

from __future__ import annotations

import torch
from torch import nn

from dplass_cli.training.moving_average import MovingAverage


def module() -> nn.Sequential:
    """A linear layer that is trained, a norm with statistics, and a frozen layer."""
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2).requires_grad_(False))


def test_updates_average_parameters_and_statistics_exponentially() -> None:
    followed = module()
    average = MovingAverage(followed, 0.75)
    for value in (4.0, 8.0):
        nn.init.constant_(followed[0].weight, value)
        followed[1].running_mean.fill_(value)
        average.update()
    with average.applied():
        assert set(followed[0].weight.flatten().tolist()) == {5.0}
        assert followed[1].running_mean.tolist() == [5.0, 5.0]
    assert set(followed[0].weight.flatten().tolist()) == {8.0}
    assert int(average.updates) == 2


def test_an_average_is_restored_with_the_module_that_has_it_as_a_part() -> None:
    first, second = module(), module()
    for followed in (first, second):
        followed.add_module("average", MovingAverage(followed, 0.9))
    first.average.update()
    nn.init.zeros_(first[0].weight)
    first.average.update()
    second.load_state_dict(first.state_dict())
    for followed in (first, second):
        followed.average.update()
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], tensor)
