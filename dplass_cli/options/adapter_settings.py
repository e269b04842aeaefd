"""Settings of adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dplass_cli.options.declaration import check_field, option

LARGEST_RANK = 1 << 20

StoredType = Literal["float32", "float16", "bfloat16"]
"""Type of an adapter's tensors on disk."""


@dataclass(frozen=True)
class AdapterSettings:
    """What the user asks for; the defaults are the published ones (golden ``*_layout.json``).

    Layers are named by :mod:`dplass_cli.adapters.layers`: an address (``encoder1.conv2``), a block (``bottleneck``) or
    a kind (``conv``, ``shortcut``, ``upsample``, ``film``), with ``*`` and ``?``.
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
    dtype: StoredType = option(default="float32", help="Type of the adapter's tensors on disk.")

    def __post_init__(self) -> None:
        ranks = list(self.rank.values()) if isinstance(self.rank, dict) else [self.rank]
        for name, values in (("rank", ranks), ("gamma", [self.gamma])):
            valid = all(1 <= value <= LARGEST_RANK for value in values)
            check_field(self, name, valid, f"from 1 to {LARGEST_RANK:,}")
        alphas = list(self.alpha.values()) if isinstance(self.alpha, dict) else [self.alpha]
        check_field(self, "alpha", 0 not in alphas, "other than 0, which changes nothing; leave the adapter out")
        check_field(self, "targets", bool(self.targets), "at least one layer; leave it out for the published ones")
