"""Settings of the augmentations of training mixtures; :mod:`dplass_cli.data.augmentations` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dplass_cli.options.declaration import check_field, option


def _check_probability(settings: Any) -> None:
    check_field(settings, "probability", 0.0 <= settings.probability <= 1.0, "between 0 and 1")


@dataclass(frozen=True)
class RemixSettings:
    """MixUp of targets (Zhang et al. 2018, arXiv:1710.09412): adds another clip that the same caption describes.

    The target is λ·a + (1 - λ)·b with λ from Beta(alpha, alpha), and the query stays true. A caption with one clip is
    not changed.
    """

    probability: float = option(default=0.3, help="Probability per mixture.")
    alpha: float = option(default=1.0, help="Parameter of the Beta distribution of the share of the first clip.")

    def __post_init__(self) -> None:
        _check_probability(self)
        check_field(self, "alpha", self.alpha > 0, "positive")


@dataclass(frozen=True)
class ShiftSettings:
    """Circular shift of each source in time, so that onsets fall elsewhere."""

    probability: float = option(default=0.5, help="Probability per source.")
    seconds: float = option(default=1.0, help="Largest shift in seconds.")

    def __post_init__(self) -> None:
        _check_probability(self)
        check_field(self, "seconds", self.seconds > 0, "positive")


@dataclass(frozen=True)
class PolaritySettings:
    """Sign flip of each source: it sounds the same and mixes differently."""

    probability: float = option(default=0.5, help="Probability per source.")

    def __post_init__(self) -> None:
        _check_probability(self)


@dataclass(frozen=True)
class ReverberationSettings:
    """Convolution of each source with a random impulse response.

    The direct sound (the response's largest sample) keeps its time, and a source keeps its energy. The reverberant
    source is the target.
    """

    folder: Path = option(help="Folder of the impulse responses, searched with its subfolders.")
    probability: float = option(default=0.3, help="Probability per source.")

    def __post_init__(self) -> None:
        _check_probability(self)


@dataclass(frozen=True)
class GainSettings:
    """One uniformly drawn gain for all sources, so that training covers quiet and loud recordings."""

    probability: float = option(default=1.0, help="Probability per mixture.")
    lower_db: float = option(default=-12.0, help="Smallest gain in dB.")
    higher_db: float = option(default=6.0, help="Largest gain in dB.")

    def __post_init__(self) -> None:
        _check_probability(self)
        check_field(self, "lower_db", self.lower_db <= self.higher_db, f"at most higher_db, {self.higher_db}")


@dataclass(frozen=True)
class MaskingSettings:
    """SpecAugment (Park et al. 2019, arXiv:1904.08779): masks of the spectrogram set to zero.

    All sources lose the same cells, so what is masked in the mixture is masked in the target too. The network learns
    to use what remains of a sound, and is never asked for what it cannot hear.
    """

    probability: float = option(default=0.3, help="Probability per mixture.")
    time_masks: int = option(default=1, help="Number of masks over time.")
    time_seconds: float = option(default=0.2, help="Longest mask over time in seconds.")
    frequency_masks: int = option(default=1, help="Number of masks over frequency.")
    frequency_share: float = option(default=0.1, help="Widest mask over frequency as a share of the band.")

    def __post_init__(self) -> None:
        _check_probability(self)
        check_field(self, "frequency_share", 0 <= self.frequency_share < 1, "at least 0 and below 1")


@dataclass(frozen=True)
class AugmentationSettings:
    """The augmentations that are switched on, in the order in which they are applied; none by default."""

    remix: RemixSettings | None = option(
        default=None, shown="off", help="Mix the target with another clip of its caption (MixUp)."
    )
    shift: ShiftSettings | None = option(default=None, shown="off", help="Shift each source in time.")
    polarity: PolaritySettings | None = option(default=None, shown="off", help="Flip the sign of sources.")
    reverberation: ReverberationSettings | None = option(
        default=None, shown="off", help="Convolve sources with impulse responses."
    )
    gain: GainSettings | None = option(default=None, shown="off", help="Apply one random gain to all sources.")
    masking: MaskingSettings | None = option(
        default=None, shown="off", help="Mask bands and stretches of the spectrogram (SpecAugment)."
    )
