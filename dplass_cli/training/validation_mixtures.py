"""Validation mixtures as a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dplass_cli.data.mixture_tables import Mixture, render

_CACHED_MIB = 512  # of rendered mixtures; every epoch asks for the same ones


class ValidationMixtures(Dataset[dict[str, Any]]):
    """Validation mixtures with their queries' embeddings and domains. Rendered mixtures are cached up to 512 MiB.

    An item is ``{"mixture": float32 (T,), "target": float32 (T,), "condition": float32 (D,), "domain": int}``.

    Args:
        mixtures: {domain: its mixtures}.
        embeddings: {caption: float32 (D,)}.
        sample_rate: Hz.
    """

    def __init__(
        self, mixtures: Mapping[int, Sequence[Mixture]], embeddings: dict[str, Tensor], sample_rate: int
    ) -> None:
        self.items = [(domain, mixture) for domain, items in mixtures.items() for mixture in items]
        self.embeddings, self.sample_rate = embeddings, sample_rate
        self._rendered: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index in self._rendered:
            return self._rendered[index]
        domain, mixture = self.items[index]
        mixed, target = render(mixture, self.sample_rate)
        item = {
            "mixture": torch.from_numpy(mixed),
            "target": torch.from_numpy(target),
            "condition": self.embeddings[mixture.source.caption],
            "domain": domain,
        }
        if len(self._rendered) * 2 * mixed.nbytes < _CACHED_MIB * 2**20:
            self._rendered[index] = item
        return item
