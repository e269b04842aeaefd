"""Settings of the augmentations of training mixtures; :mod:`dplass_cli.data.augmentations` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, check_field, required, setting


@dataclass(frozen=True)
class RemixSettings(Options):
    """MixUp of targets (Zhang et al. 2018, arXiv:1710.09412): adds another clip that the same caption describes.

    The target is λ·a + (1 - λ)·b with λ from Beta(alpha, alpha), and the query stays true. A caption with one clip is
    not changed.
    """

    probability: float = setting(0.3, "Probability per mixture.", least=0, most=1)
    alpha: float = setting(1.0, "Parameter of the Beta distribution of the share of the first clip.", above=0)


@dataclass(frozen=True)
class ShiftSettings(Options):
    """Circular shift of each source in time, so that onsets fall elsewhere."""

    probability: float = setting(0.5, "Probability per source.", least=0, most=1)
    seconds: float = setting(1.0, "Largest shift in seconds.", above=0)


@dataclass(frozen=True)
class PolaritySettings(Options):
    """Sign flip of each source: it sounds the same and mixes differently."""

    probability: float = setting(0.5, "Probability per source.", least=0, most=1)


@dataclass(frozen=True)
class ReverberationSettings(Options):
    """Convolution of each source with a random impulse response.

    The direct sound (the response's largest sample) keeps its time, and a source keeps its energy. The reverberant
    source is the target.
    """

    folder: Path = required("Folder of the impulse responses, searched with its subfolders.", flag=None)
    probability: float = setting(0.3, "Probability per source.", least=0, most=1)


@dataclass(frozen=True)
class GainSettings(Options):
    """One uniformly drawn gain for all sources, so that training covers quiet and loud recordings."""

    probability: float = setting(1.0, "Probability per mixture.", least=0, most=1)
    lower_db: float = setting(-12.0, "Smallest gain in dB.")
    higher_db: float = setting(6.0, "Largest gain in dB.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_field(self, "lower_db", self.lower_db <= self.higher_db, f"at most higher_db, {self.higher_db}")


@dataclass(frozen=True)
class MaskingSettings(Options):
    """SpecAugment (Park et al. 2019, arXiv:1904.08779): masks of the spectrogram set to zero.

    All sources lose the same cells, so what is masked in the mixture is masked in the target too. The network learns
    to use what remains of a sound, and is never asked for what it cannot hear.
    """

    probability: float = setting(0.3, "Probability per mixture.", least=0, most=1)
    time_masks: int = setting(1, "Number of masks over time.")
    time_seconds: float = setting(0.2, "Longest mask over time in seconds.")
    frequency_masks: int = setting(1, "Number of masks over frequency.")
    frequency_share: float = setting(0.1, "Widest mask over frequency as a share of the band.", least=0, below=1)


@dataclass(frozen=True)
class AugmentationSettings(Options):
    """The augmentations that are switched on, in the order in which they are applied; none by default."""

    remix: RemixSettings | None = setting(None, "Mix the target with another clip of its caption (MixUp).", shown="off")
    shift: ShiftSettings | None = setting(None, "Shift each source in time.", shown="off")
    polarity: PolaritySettings | None = setting(None, "Flip the sign of sources.", shown="off")
    reverberation: ReverberationSettings | None = setting(None, "Convolve sources with impulse responses.", shown="off")
    gain: GainSettings | None = setting(None, "Apply one random gain to all sources.", shown="off")
    masking: MaskingSettings | None = setting(
        None, "Mask bands and stretches of the spectrogram (SpecAugment).", shown="off"
    )
