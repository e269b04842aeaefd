"""Options of ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import check_field, option
from dplass_cli.options.model_options import MODELS, ModelOptions


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(ModelOptions):
    """Options of ``doctor``: what a run is going to use.

    What is not given is not checked, except the machine and the bundled models.
    """

    data: Path | None = option("--data", default=None, help="Manifest or partition folder.")
    benchmark: str | None = option("--benchmark", default=None, help="Benchmark that will be evaluated.")
    data_root: Path | None = option(
        "--data-root", default=None, help="Folder of AudioCaps_evaluation, AudioSet_evaluation …"
    )
    metadata_csv: Path | None = option("--metadata-csv", default=None, help="The benchmark's table.")
    audio_dir: Path | None = option(
        "--audio-dir", default=None, shown="next to the table", help="Folder of the benchmark's audio."
    )
    workspace: Path = option("--workspace", factory=Path, shown="here", help="Folder that the run will write to.")
    clips: int = option("--clips", default=1000, help="Clips of --data whose headers are checked; 0: all.")
    base_checkpoint: str = option(
        "--base-checkpoint",
        "--base",
        default="tiny",
        hidden=("--checkpoint_path",),
        panel=MODELS,
        help="Base model: tiny or a checkpoint.",
    )

    def __post_init__(self) -> None:
        check_field(self, "clips", self.clips >= 0, "at least 1, or 0 for all")
