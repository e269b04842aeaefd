"""Options of ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import ModelOptions

_CLIPS_CHECKED = 1000


@dataclass(frozen=True)
class DoctorOptions(ModelOptions):
    """What a run is going to use; what is not given is not checked, but for the machine and the bundled models.

    The models as :class:`~dplass_cli.options.model_options.ModelOptions`.

    Attributes:
        data: a manifest, or a partition folder.
        benchmark, data_root, metadata_csv, audio_dir: as ``evaluate``.
        workspace: the folder that the run will write to.
        clips: the audio headers that are read, of evenly chosen clips of ``data``; 0 for all.
    """

    data: Path | None = None
    benchmark: str | None = None
    data_root: Path | None = None
    metadata_csv: Path | None = None
    audio_dir: Path | None = None
    workspace: Path = field(default_factory=Path)
    clips: int = _CLIPS_CHECKED

    def __post_init__(self) -> None:
        if self.clips < 0:
            raise InputError(f"--clips {self.clips}: must be at least 1, or 0 for all")
