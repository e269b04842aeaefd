"""Options of ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import option
from dplass_cli.options.model_options import MODELS, ModelOptions


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(ModelOptions):
    """Options of ``doctor``: what a run is going to use.

    What is not given is not checked, except the machine and the bundled models.
    """

    data: Path | None = option(None, "Manifest or partition folder.")
    benchmark: str | None = option(None, "Benchmark that will be evaluated.")
    data_root: Path | None = option(None, "Folder of AudioCaps_evaluation, AudioSet_evaluation …")
    metadata_csv: Path | None = option(None, "The benchmark's table.")
    audio_dir: Path | None = option(None, "Folder of the benchmark's audio.", shown="next to the table")
    workspace: Path = option(Path(), "Folder that the run will write to.", shown="here")
    clips: int = option(
        1000, "Clips of --data whose headers are checked; 0: all.", least=0, expected="at least 1, or 0 for all"
    )
    base_checkpoint: str = option(
        "tiny", "Base model: tiny or a checkpoint.", also="--base", hidden=("--checkpoint_path",), panel=MODELS
    )
