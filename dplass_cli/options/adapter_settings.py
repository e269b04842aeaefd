"""Settings of adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dplass_cli.options.declaration import option

LARGEST_RANK = 1 << 20


@dataclass(frozen=True)
class AdapterSettings:
    """What the user asks for; the defaults are the published ones (golden ``*_layout.json``).

    Layers are named by :mod:`dplass_cli.adapters.injection`: an address (``encoder1.conv2``), a block (``bottleneck``)
    or a kind (``conv``, ``shortcut``, ``upsample``, ``film``), with ``*`` and ``?``.
    """

    method: str = option("--adapter", default="reconv", help="Adapter method: reconv, lora, dora or conv-adapter.")
    targets: tuple[str, ...] = option(
        default=("conv",),
        help="Layers to adapt, each named by exactly one entry: an address (encoder1.conv2), a block (bottleneck) or a"
        " kind (conv, shortcut, upsample, film); * and ? match any name.",
    )
    rank: int | dict[str, int] = option(
        default=4,
        help="Rank of the low-rank methods; reconv divides its scale by it. One number, or {layers: number}.",
    )
    alpha: float | dict[str, float] | None = option(
        default=None,
        shown="the published ones of the method",
        help="Numerator of the scale. One number, or {layers: number} in addition to the published ones.",
    )
    gamma: int = option(default=1, help="For conv-adapter: its inner channels are the layer's inputs divided by this.")
    batchnorm: Literal["frozen", "adapt"] = option(
        default="frozen",
        help="frozen keeps the base's statistics; adapt lets training change them, and stores them with the adapter.",
    )
    dtype: Literal["float32", "float16", "bfloat16"] = option(
        default="float32", help="Type of the adapter's tensors on disk."
    )

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
