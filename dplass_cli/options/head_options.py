"""Settings of the heads that ``tag --fit`` fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dplass_cli.options.declaration import Options, setting

MelAugmentation = Literal["mixup", "freq-mixstyle", "impulse"]


@dataclass(frozen=True)
class HeadSettings(Options):
    """How a head is fitted."""

    inverse_regularization: float = setting(
        0.1, "C of the logistic regression: larger values fit the clips more closely.", above=0
    )
    test_share: float = setting(0.2, "Share of the clips that are held out without --test.", above=0, below=1)
    copies: int = setting(2, "Augmented copies of each clip, in addition to the clip itself.", least=1)
    alpha: float = setting(0.4, "Parameter of the Beta distribution of mixup's and freq-mixstyle's shares.", above=0)
