"""Settings of training data: names as in AudioSep's published ``audiosep_base.yaml``, defaults as published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class LoudnessSettings:
    """Bounds, in whole decibels, of the gain of interference over the target."""

    lower_db: int = -10
    higher_db: int = 10

    def __post_init__(self) -> None:
        if self.lower_db > self.higher_db:
            raise ValueError(f"loudness_norm.lower_db {self.lower_db} is above higher_db {self.higher_db}")


@dataclass(frozen=True)
class DataSettings:
    """How training samples are drawn and mixed.

    Attributes:
        sampling_rate: Hz.
        segment_seconds: length of a training segment.
        loudness_norm: gain bounds of interference.
        max_mix_num: at most this many sources in a mixture, the target included; at least 2.
        interference: whether interferers come from the ``other`` domains, ``any`` or the ``same`` one.
        max_bad_files: more unreadable files than this stop the run.
    """

    sampling_rate: int = 32000
    segment_seconds: float = 2.0
    loudness_norm: LoudnessSettings = field(default_factory=LoudnessSettings)
    max_mix_num: int = 2
    interference: Literal["other", "any", "same"] = "other"
    max_bad_files: int = 20

    def __post_init__(self) -> None:
        if self.max_mix_num < 2:
            raise ValueError(f"max_mix_num must be at least 2 (a target and an interferer), not {self.max_mix_num}")
        if self.segment_seconds <= 0:
            raise ValueError(f"segment_seconds must be positive, not {self.segment_seconds}")

    @property
    def segment_samples(self) -> int:
        """Length of a segment in samples."""
        return round(self.segment_seconds * self.sampling_rate)
