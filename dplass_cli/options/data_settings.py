"""Settings of training data: names as in AudioSep's published ``audiosep_base.yaml``, defaults as published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.augmentation_settings import AugmentationSettings
from dplass_cli.options.declaration import Options, check_field, option, section, setting


@dataclass(frozen=True)
class LoudnessSettings(Options):
    """Bounds of the random gain of interference over the target."""

    lower_db: int = setting(-10, "Smallest gain in dB, a whole number.")
    higher_db: int = setting(10, "Largest gain in dB, a whole number.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_field(self, "lower_db", self.lower_db <= self.higher_db, f"at most higher_db, {self.higher_db}")


@dataclass(frozen=True)
class DataSettings(Options):
    """How training samples are drawn and mixed."""

    sampling_rate: int = setting(32000, "Sample rate in Hz; must be the base's.")
    segment_seconds: float = setting(2.0, "Length of a training segment in seconds.", above=0)
    loudness_norm: LoudnessSettings = section(
        LoudnessSettings, "Bounds of the random gain of interference over the target."
    )
    max_mix_num: int = setting(
        2,
        "Largest number of sources in a mixture, the target included.",
        least=2,
        expected="at least 2, a target and an interferer",
    )
    interference: Literal["other", "any", "same"] = setting(
        "other", "Domains of the interferers: other than the target's, any, or the same."
    )
    semantic_filter: float | None = setting(
        0.8,
        "Never mix a target with a clip that has a caption at least this similar to the query (cosine similarity of"
        " the encoder's text embeddings); null: go by labels and AudioSet's ontology alone.",
        above=0,
        most=1,
        resume="recorded",
    )
    noise_dir: Path | None = setting(None, "Folder of recordings to take interferers from instead.")
    use_text_ratio: float = setting(
        1.0,
        "Share of samples whose query is the caption; for the others it is the target's audio embedding.",
        least=0,
        most=1,
    )
    negative_share: float = setting(
        0.0, "Share of samples without the queried sound; their target is silence.", least=0, most=1
    )
    augment: AugmentationSettings = section(
        AugmentationSettings, "Augmentations of training mixtures; all are off by default."
    )
    shards_together: int = setting(
        2, "Shards whose clips are mixed with one another; those of the next samples are fetched meanwhile.", least=1
    )
    shard_streams: int = setting(
        1,
        "Groups of shards that are read at the same time, in turn: as many as processes on several machines, so that"
        " each reads shards of its own.",
        least=1,
    )
    max_bad_files: int = option(20, "Stop the run if more files than this are unreadable.", resume="free", least=0)

    @property
    def segment_samples(self) -> int:
        """Length of a segment in samples."""
        return round(self.segment_seconds * self.sampling_rate)
