"""Settings of training data: names as in AudioSep's published ``audiosep_base.yaml``, defaults as published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.augmentation_settings import AugmentationSettings
from dplass_cli.options.declaration import check_field, option, section


@dataclass(frozen=True)
class LoudnessSettings:
    """Bounds of the random gain of interference over the target."""

    lower_db: int = option(default=-10, help="Smallest gain in dB, a whole number.")
    higher_db: int = option(default=10, help="Largest gain in dB, a whole number.")

    def __post_init__(self) -> None:
        check_field(self, "lower_db", self.lower_db <= self.higher_db, f"at most higher_db, {self.higher_db}")


@dataclass(frozen=True)
class DataSettings:
    """How training samples are drawn and mixed."""

    sampling_rate: int = option(default=32000, help="Sample rate in Hz; must be the base's.")
    segment_seconds: float = option(default=2.0, help="Length of a training segment in seconds.")
    loudness_norm: LoudnessSettings = section(
        LoudnessSettings, help="Bounds of the random gain of interference over the target."
    )
    max_mix_num: int = option(default=2, help="Largest number of sources in a mixture, the target included.")
    interference: Literal["other", "any", "same"] = option(
        default="other", help="Domains of the interferers: other than the target's, any, or the same."
    )
    noise_dir: Path | None = option(default=None, help="Folder of recordings to take interferers from instead.")
    use_text_ratio: float = option(
        default=1.0,
        help="Share of samples whose query is the caption; for the others it is the target's audio embedding.",
    )
    negative_share: float = option(
        default=0.0, help="Share of samples without the queried sound; their target is silence."
    )
    augment: AugmentationSettings = section(
        AugmentationSettings, help="Augmentations of training mixtures; all are off by default."
    )
    max_bad_files: int = option(
        "--max-bad-files", default=20, resume="free", help="Stop the run if more files than this are unreadable."
    )

    def __post_init__(self) -> None:
        check_field(self, "max_mix_num", self.max_mix_num >= 2, "at least 2, a target and an interferer")
        check_field(self, "segment_seconds", self.segment_seconds > 0, "positive")
        check_field(self, "max_bad_files", self.max_bad_files >= 0, "at least 0")
        for name in ("use_text_ratio", "negative_share"):
            check_field(self, name, 0.0 <= getattr(self, name) <= 1.0, "between 0 and 1")

    @property
    def segment_samples(self) -> int:
        """Length of a segment in samples."""
        return round(self.segment_seconds * self.sampling_rate)
