"""FiLM: feature-wise conditioning, here additive only, as AudioSep uses it (golden facts: ``structure.film``)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class FiLM(nn.Module):
    """One linear map from the condition to each (block, beta) pair of a network.

    A map for the beta ``a.b.beta1`` is stored under the name ``a->b->beta1``, the published layout's key.
    """

    def __init__(self, features: Mapping[str, int], condition_size: int) -> None:
        super().__init__()
        self._paths = list(features)
        for path, channels in features.items():
            self.add_module(path.replace(".", "->"), nn.Linear(condition_size, channels))

    def forward(self, condition: Tensor) -> dict[str, Tensor]:
        """Map a condition (B, D) to betas: {path: (B, C, 1, 1)}."""
        betas: dict[str, Tensor] = {}
        for path in self._paths:
            beta: Tensor = self.get_submodule(path.replace(".", "->"))(condition)
            betas[path] = beta[:, :, None, None]
        return betas

    def reset(self) -> None:
        """Give every map AudioSep's initial values: Xavier weights, zero bias."""
        for module in self.children():
            assert isinstance(module, nn.Linear)
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
