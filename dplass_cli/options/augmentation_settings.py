"""Settings of the augmentations of training mixtures; :mod:`dplass_cli.data.augmentations` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError


def _check_probability(probability: float) -> None:
    if not 0.0 <= probability <= 1.0:
        raise InputError(f"the probability of an augmentation must be between 0 and 1, not {probability}")


@dataclass(frozen=True)
class RemixSettings:
    """MixUp of targets (Zhang et al. 2018, arXiv:1710.09412): adds another clip that the same caption describes.

    The target is λ·a + (1 − λ)·b with λ from Beta(alpha, alpha); the query stays true. A caption with one clip stays.
    """

    probability: float = 0.3
    alpha: float = 1.0

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if self.alpha <= 0:
            raise ValueError(f"remix.alpha must be positive, not {self.alpha}")


@dataclass(frozen=True)
class ShiftSettings:
    """Shifts each source in time by up to ``seconds``, around the segment's ends: onsets fall elsewhere."""

    probability: float = 0.5
    seconds: float = 1.0

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if self.seconds <= 0:
            raise ValueError(f"shift.seconds must be positive, not {self.seconds}")


@dataclass(frozen=True)
class PolaritySettings:
    """Turns the sign of each source with a probability: it sounds the same and mixes otherwise."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_probability(self.probability)


@dataclass(frozen=True)
class ReverberationSettings:
    """Convolves each source with an impulse response drawn from the audio files below ``folder``.

    The direct sound (the response's largest sample) keeps its time, and a source keeps its energy. The reverberant
    source is what is to be separated.
    """

    folder: Path
    probability: float = 0.3

    def __post_init__(self) -> None:
        _check_probability(self.probability)


@dataclass(frozen=True)
class GainSettings:
    """Gains all sources alike by decibels drawn uniformly, so that quiet and loud recordings are met."""

    probability: float = 1.0
    lower_db: float = -12.0
    higher_db: float = 6.0

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if self.lower_db > self.higher_db:
            raise ValueError(f"gain.lower_db {self.lower_db} is above higher_db {self.higher_db}")


@dataclass(frozen=True)
class MaskingSettings:
    """SpecAugment (Park et al. 2019, arXiv:1904.08779) of the scene, as masks of its spectrogram set to zero.

    All sources lose the same cells, so what is masked in the mixture is masked in the target too: the network learns to
    go by what is left of a sound, and is never asked for what it cannot hear.
    """

    probability: float = 0.3
    time_masks: int = 1
    time_seconds: float = 0.2
    frequency_masks: int = 1
    frequency_share: float = 0.1

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if not 0 <= self.frequency_share < 1:
            raise ValueError(f"masking.frequency_share must be at least 0 and below 1, not {self.frequency_share}")


@dataclass(frozen=True)
class AugmentationSettings:
    """The augmentations that are on, with their settings, in the order in which they are applied; none by default."""

    remix: RemixSettings | None = None
    shift: ShiftSettings | None = None
    polarity: PolaritySettings | None = None
    reverberation: ReverberationSettings | None = None
    gain: GainSettings | None = None
    masking: MaskingSettings | None = None
