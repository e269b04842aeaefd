"""Settings of training data: names as in AudioSep's published ``audiosep_base.yaml``, defaults as published."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dplass_cli.data.augmentations import Augmentations


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
        noise_dir: a folder of recordings that interferers come from instead.
        use_text_ratio: the share of samples whose query is the caption; the others' is the target's audio embedding.
        negative_share: the share of samples that lack what the query asks for; their target is silence.
        augment: the augmentations that are on.
        max_bad_files: more unreadable files than this stop the run.
    """

    sampling_rate: int = 32000
    segment_seconds: float = 2.0
    loudness_norm: LoudnessSettings = field(default_factory=LoudnessSettings)
    max_mix_num: int = 2
    interference: Literal["other", "any", "same"] = "other"
    noise_dir: Path | None = None
    use_text_ratio: float = 1.0
    negative_share: float = 0.0
    augment: Augmentations = field(default_factory=Augmentations)
    max_bad_files: int = 20

    def __post_init__(self) -> None:
        if self.max_mix_num < 2:
            raise ValueError(f"max_mix_num must be at least 2 (a target and an interferer), not {self.max_mix_num}")
        if self.segment_seconds <= 0:
            raise ValueError(f"segment_seconds must be positive, not {self.segment_seconds}")
        if self.max_bad_files < 0:
            raise ValueError(f"max_bad_files must be at least 0, not {self.max_bad_files}")
        for name in ("use_text_ratio", "negative_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")

    @property
    def segment_samples(self) -> int:
        """Length of a segment in samples."""
        return round(self.segment_seconds * self.sampling_rate)
