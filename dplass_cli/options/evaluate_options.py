"""Options of ``evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import option, required, setting
from dplass_cli.options.model_options import RunningOptions

SONGS = "musdb18"
"""The benchmark of whole songs with stems."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RunningOptions):
    """Options of ``evaluate``."""

    benchmark: tuple[str, ...] = option(
        ("custom",), "audioset, audiocaps, clotho, esc50, vggsound, music, musdb18 or custom. Repeatable."
    )
    metadata_csv: Path | None = option(
        None, "The benchmark's table; for several benchmarks, the folder of their tables."
    )
    audio_dir: Path | None = option(None, "Folder of the benchmark's audio.", shown="next to the table")
    data_root: Path | None = option(None, "Folder of AudioCaps_evaluation, AudioSet_evaluation …")
    query_column: str | None = option(None, "Another column of queries, such as labels of AudioCaps.")
    select: tuple[str, ...] | None = option(
        None,
        "Policies to report: base, text, text-knn, validated, audio, blend, oracle, single:3.",
        shown="all",
        split=True,
    )
    refine: Literal["none", "residual", "both"] | None = option(
        None,
        "Report policies without refinement (none), with it (residual), or both.",
        shown="as --select says, such as text+residual; for all policies, one with refinement",
    )
    output: Path = required("Folder of the results; an interrupted evaluation resumes there.", also="-o")
    limit: int | None = option(None, "Evaluate only this many items (of musdb18: songs), the first ones.", least=1)
    items: tuple[str, ...] | None = option(None, "Evaluate only the items of these names, such as 3,17.", split=True)
    max_missing: float = option(0.05, "Stop if a larger share of the items has no usable audio.", least=0, most=1)
    batch_size: int | None = option(None, "Items per forward.", shown="4 on a CPU, 16 elsewhere", least=1)
    workers: int = option(4, "Threads that read ahead.", least=1)
    similarity: bool = option(
        True, "Embed the outputs; policy audio needs it.", "--similarity/--no-similarity", shown="yes"
    )
    metric: tuple[Literal["bss", "museval"], ...] = option(
        (), "Additional metrics: bss (SDR of BSS Eval, 512 taps; slow), museval (BSSEval v4 of musdb18; extra music)."
    )
    report: bool = option(True, "Write report.html with sounds to listen to.", "--report/--no-report", shown="yes")
    examples: int = setting(4, "How many of the best and of the worst items are in the report.")
    check_published: bool = option(False, "Compare with published figures; exit code 1 if they are not met.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.songs and len(self.benchmark) > 1:
            raise InputError(f"--benchmark {SONGS}: evaluates whole songs; run the other benchmarks without it")
        if "museval" in self.metric and not self.songs:
            raise InputError(f"--metric museval: is for --benchmark {SONGS}; leave it out")
        if len(self.benchmark) > 1:
            if self.audio_dir:
                raise InputError(f"--audio-dir {self.audio_dir}: is for one --benchmark; give --data-root for several")
            if self.items:
                raise InputError("--items: is for one --benchmark; evaluate the benchmarks one by one")
            if self.metadata_csv and not self.metadata_csv.is_dir():
                raise InputError(
                    f"--metadata-csv {self.metadata_csv}: a table is for one --benchmark; give the tables' folder"
                )

    @property
    def songs(self) -> bool:
        """Whether songs with stems are evaluated, and not the items of a table."""
        return SONGS in self.benchmark
