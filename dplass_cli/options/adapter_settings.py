"""Settings of adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LARGEST_RANK = 1 << 20


@dataclass(frozen=True)
class AdapterSettings:
    """What the user asks for; the defaults are the published ones (golden ``*_layout.json``).

    Layers are named by :mod:`dplass_cli.adapters.layers`: an address (``encoder1.conv2``), a block (``bottleneck``) or
    a kind (``conv``, ``shortcut``, ``upsample``, ``film``), with ``*`` and ``?``.

    Attributes:
        method: a name of :data:`dplass_cli.adapters.METHODS`.
        targets: the layers that are adapted; each of them by exactly one entry.
        rank: of the low-rank methods; in ``reconv`` a divisor of the scale. One number, or numbers by layer.
        alpha: numerator of the scale. One number, or numbers by layer over the method's published ones.
        gamma: ``conv-adapter`` only: the channels inside are the layer's inputs divided by it.
        batchnorm: ``frozen`` keeps the base's statistics; ``adapt`` lets training move them, as the published one did,
            and stores them with the adapter.
        dtype: of the adapter's tensors on disk.
    """

    method: str = "reconv"
    targets: tuple[str, ...] = ("conv",)
    rank: int | dict[str, int] = 4
    alpha: float | dict[str, float] | None = None
    gamma: int = 1
    batchnorm: Literal["frozen", "adapt"] = "frozen"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        ranks = list(self.rank.values()) if isinstance(self.rank, dict) else [self.rank]
        for name, value in [*(("rank", rank) for rank in ranks), ("gamma", self.gamma)]:
            if not 1 <= value <= LARGEST_RANK:
                raise ValueError(f"adapter {name} must be from 1 to {LARGEST_RANK:,}, not {value}")
        alphas = list(self.alpha.values()) if isinstance(self.alpha, dict) else [self.alpha]
        if 0 in alphas:
            raise ValueError("adapter alpha must not be 0: such an adapter changes nothing; leave it out")
        if not self.targets:
            raise ValueError("adapter targets are empty; leave them out for the published ones")
