"""Fingerprints of tensors."""

from __future__ import annotations

import torch

from dplass_cli.weights.checkpoint_files import tensors_sha256


def test_the_hash_ignores_order_and_memory_layout_only() -> None:
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(())}
    wanted = tensors_sha256(tensors)
    assert tensors_sha256(dict(reversed(tensors.items()))) == wanted
    assert tensors_sha256({**tensors, "b": tensors["b"].T.contiguous().T}) == wanted
    others = [
        {**tensors, "b": tensors["b"] + torch.tensor([0, 0, 1e-6])},
        {"c": tensors["b"], "a": tensors["a"]},
        {**tensors, "b": tensors["b"].reshape(3, 2)},
        {**tensors, "b": tensors["b"].view(torch.int32)},
        {**tensors, "b": tensors["b"].double()},
        {"b": tensors["b"]},
    ]
    hashes = {tensors_sha256(other) for other in others} | {wanted, tensors_sha256(tensors, {"rank": 4})}
    assert len(hashes) == len(others) + 2
    assert tensors_sha256(tensors, {"x": 1, "y": 2}) == tensors_sha256(tensors, {"y": 2, "x": 1})
