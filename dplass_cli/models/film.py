"""FiLM: feature-wise conditioning, additive only as in AudioSep (golden facts: ``structure.film``)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class FiLM(nn.Module):
    """Linear maps from the condition to the betas, the vectors that are added to a network's feature maps.

    The map of the beta ``a.b.beta1`` is stored under the name ``a->b->beta1``, as in AudioSep's checkpoints.

    Args:
        features: {path of a beta: its channels}.
        condition_size: length D of the condition.
    """

    def __init__(self, features: Mapping[str, int], condition_size: int) -> None:
        super().__init__()
        self._paths = list(features)
        for path, channels in features.items():
            self.add_module(path.replace(".", "->"), nn.Linear(condition_size, channels))

    def forward(self, condition: Tensor) -> dict[str, Tensor]:
        """Map conditions, float32 (B, D), to betas: {path: (B, C, 1, 1)}."""
        betas: dict[str, Tensor] = {}
        for path in self._paths:
            beta: Tensor = self.get_submodule(path.replace(".", "->"))(condition)
            betas[path] = beta[:, :, None, None]
        return betas

    def reset(self) -> None:
        """Initialise every map as AudioSep does: Xavier weights, zero bias."""
        for module in self.children():
            assert isinstance(module, nn.Linear)
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
