"""Settings of adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dplass_cli.options.declaration import Options, check_field, option, setting

LARGEST_RANK = 1 << 20

StoredType = Literal["float32", "float16", "bfloat16"]
"""Type of an adapter's tensors on disk."""


@dataclass(frozen=True)
class AdapterSettings(Options):
    """What the user asks for; the defaults are the published ones (golden ``*_layout.json``).

    Layers are named by :mod:`dplass_cli.adapters.injection`: an address (``encoder1.conv2``), a block (``bottleneck``)
    or a kind (``conv``, ``shortcut``, ``upsample``, ``film``), with ``*`` and ``?``.
    """

    method: str = option("reconv", "Adapter method: reconv, lora, dora or conv-adapter.", "--adapter")
    targets: tuple[str, ...] = setting(
        ("conv",),
        "Layers to adapt, each named by exactly one entry: an address (encoder1.conv2), a block (bottleneck) or a"
        " kind (conv, shortcut, upsample, film); * and ? match any name.",
    )
    rank: int | dict[str, int] = setting(
        4,
        "Rank of the low-rank methods; reconv divides its scale by it. One number, or {layers: number}.",
        least=1,
        most=LARGEST_RANK,
    )
    alpha: float | dict[str, float] | None = setting(
        None,
        "Numerator of the scale. One number, or {layers: number} in addition to the published ones.",
        shown="the published ones of the method",
    )
    gamma: int = setting(
        1, "For conv-adapter: its inner channels are the layer's inputs divided by this.", least=1, most=LARGEST_RANK
    )
    batchnorm: Literal["frozen", "adapt"] = setting(
        "frozen",
        "frozen keeps the base's statistics; adapt lets training change them, and stores them with the adapter.",
    )
    dtype: StoredType = setting("float32", "Type of the adapter's tensors on disk.")

    def __post_init__(self) -> None:
        super().__post_init__()
        alphas = list(self.alpha.values()) if isinstance(self.alpha, dict) else [self.alpha]
        check_field(self, "alpha", 0 not in alphas, "other than 0, which changes nothing; leave the adapter out")
        check_field(self, "targets", bool(self.targets), "at least one layer; leave it out for the published ones")
