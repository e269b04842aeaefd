"""Keys of states: the same for the same values, others for others, and no tensor is read twice."""

from __future__ import annotations

import zlib
from unittest.mock import patch

import torch

from dplass_cli.models.state_key import StateKey


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(3, 5, generator=generator), "b": torch.randn(7, generator=generator)}


def test_the_same_values_have_the_same_key_wherever_they_are() -> None:
    key = StateKey()
    assert key(state()) == key({name: tensor.clone() for name, tensor in state().items()})
    assert key(state()) != key(state(1))
    assert key(state()) != key({name: -tensor for name, tensor in state().items()})
    assert key(state()) == StateKey()(state())


def test_changes_in_place_and_replaced_tensors_are_seen() -> None:
    key, tensors = StateKey(), state()
    first = key(tensors)
    tensors["b"][3] += 1e-7 + tensors["b"][3] * 1e-6
    second = key(tensors)
    tensors["b"] = state()["b"]
    assert first != second
    assert key(tensors) == first


def test_parameters_whose_values_are_replaced_are_seen_in_inference_mode_too() -> None:
    key, parameter = StateKey(), torch.nn.Parameter(torch.ones(3))
    with torch.inference_mode():
        first = key({"a": parameter})
        assert key({"a": parameter}) == first
        parameter.data = torch.zeros(3)
        second = key({"a": parameter})
        parameter.data = torch.ones(3)
        assert second != first == key({"a": parameter})


def test_values_of_two_tensors_that_are_exchanged_are_another_state() -> None:
    key = StateKey()
    assert key({"a": torch.ones(3), "b": torch.zeros(3)}) != key({"a": torch.zeros(3), "b": torch.ones(3)})


def test_unchanged_tensors_are_not_read_again() -> None:
    key, tensors = StateKey(), state()
    key(tensors)
    with patch("zlib.crc32", wraps=zlib.crc32) as read:
        key(tensors)
        assert read.call_count == 0
        tensors["a"] *= 2
        key({name: tensor.detach() for name, tensor in tensors.items()})
        assert read.call_count == 1


def test_any_memory_layout_has_a_key() -> None:
    tensor = torch.randn(2, 3, 4, 5)
    assert StateKey()({"a": tensor}) == StateKey()({"a": tensor.to(memory_format=torch.channels_last)})
