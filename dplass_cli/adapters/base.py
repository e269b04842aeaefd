"""The adapter contract: a module that turns a frozen weight W into W′.

An adapter sits on one weight. In training it is registered as a parametrization of that weight
(``torch.nn.utils.parametrize``), so the network runs one convolution; at inference :class:`~dplass_cli.separation.bank`
adds its delta to the weight. Both call the same ``forward``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

PUBLISHED_ALPHAS = {
    "encoder1": 1.0,
    "encoder2": 2.0,
    "encoder3": 4.0,
    "encoder4": 8.0,
    "encoder5": 12.0,
    "encoder6": 16.0,
    "bottleneck": 16.0,
    "decoder1": 16.0,
    "decoder2": 16.0,
    "decoder3": 12.0,
    "decoder4": 8.0,
    "decoder5": 4.0,
    "decoder6": 2.0,
}


@dataclass(frozen=True)
class AdapterSettings:
    """What defines an adapter; the defaults are the published ones (golden ``reconv_layout.json``).

    Attributes:
        method: a name of the method table in :mod:`dplass_cli.adapters`.
        rank: the rank, or the published divisor of the scale.
        alpha: the scale's numerator by block (``encoder1`` … ``bottleneck`` … ``decoder6``).
    """

    method: str = "reconv"
    rank: int = 4
    alpha: dict[str, float] = field(default_factory=lambda: dict(PUBLISHED_ALPHAS))

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"adapter rank must be at least 1, not {self.rank}")


class Adapter(nn.Module, ABC):
    """A trainable map of one frozen weight to the weight that is used.

    Class attributes:
        method: its name in the method table.
        linear: whether W′ − W is linear in the parameters of a weighted sum, so that deltas may be averaged.
    """

    method: ClassVar[str]
    linear: ClassVar[bool]

    @abstractmethod
    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        """Make the adapter of a weight of this shape; a fresh one leaves the weight as it is."""
        super().__init__()

    @abstractmethod
    def forward(self, weight: Tensor) -> Tensor:
        """Return W′ for the frozen weight W, of the same shape and dtype."""
