"""Distillation: one network learns the outputs of the base with each domain's adapter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dplass_cli.adapters.bank_folder import bank_key
from dplass_cli.separation.bank import AdapterBank


class RoutedTeacher:
    """Separates each item with the adapter of its domain; a domain without an adapter is served by the base.

    Args:
        load: loads the bank onto a device. Called with the first batch, whose device is the one that trains.
    """

    def __init__(self, load: Callable[[torch.device], AdapterBank]) -> None:
        self._load = load
        self._bank: AdapterBank | None = None

    @torch.no_grad()
    def __call__(self, mixture: Tensor, condition: Tensor, domain: Tensor) -> Tensor:
        """Separate a batch.

        Args:
            mixture: float32 (B, 1, T).
            condition: float32 (B, D), query embeddings.
            domain: int64 (B,).

        Returns:
            float32 (B, 1, T).
        """
        self._bank = self._bank or self._load(mixture.device)
        output = torch.empty_like(mixture)
        for number in sorted(set(domain.tolist())):
            key = bank_key(number)
            self._bank.activate(key if key in self._bank.keys else None)
            items = (domain == number).nonzero()[:, 0]
            output[items] = self._bank.network(mixture[items], condition[items]).to(output.dtype)
        return output
