"""Options of ``evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import check_field, option
from dplass_cli.options.model_options import RunningOptions


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RunningOptions):
    """Options of ``evaluate``."""

    benchmark: tuple[str, ...] = option(
        "--benchmark",
        default=("custom",),
        help="audioset, audiocaps, clotho, esc50, vggsound, music or custom. Repeatable.",
    )
    metadata_csv: Path | None = option(
        "--metadata-csv",
        default=None,
        help="The benchmark's table; for several benchmarks, the folder of their tables.",
    )
    audio_dir: Path | None = option(
        "--audio-dir", default=None, shown="next to the table", help="Folder of the benchmark's audio."
    )
    data_root: Path | None = option(
        "--data-root", default=None, help="Folder of AudioCaps_evaluation, AudioSet_evaluation …"
    )
    query_column: str | None = option(
        "--query-column", default=None, help="Another column of queries, such as labels of AudioCaps."
    )
    select: tuple[str, ...] | None = option(
        "--select",
        default=None,
        shown="all",
        split=True,
        help="Policies to report: base, text, text-knn, validated, audio, blend, oracle, single:3.",
    )
    refine: Literal["none", "residual", "both"] | None = option(
        "--refine",
        default=None,
        shown="as --select says, such as text+residual; for all policies, one with refinement",
        help="Report policies without refinement (none), with it (residual), or both.",
    )
    output: Path = option("--output", "-o", help="Folder of the results; an interrupted evaluation resumes there.")
    limit: int | None = option("--limit", default=None, help="Evaluate only this many items, the first ones.")
    items: tuple[str, ...] | None = option(
        "--items", default=None, split=True, help="Evaluate only the items of these names, such as 3,17."
    )
    max_missing: float = option(
        "--max-missing", default=0.05, help="Stop if a larger share of the items has no usable audio."
    )
    batch_size: int | None = option(
        "--batch-size", default=None, shown="4 on a CPU, 16 elsewhere", help="Items per forward."
    )
    workers: int = option("--workers", default=4, help="Threads that read ahead.")
    similarity: bool = option(
        "--similarity/--no-similarity", default=True, shown="yes", help="Embed the outputs; policy audio needs it."
    )
    metric: tuple[Literal["bss"], ...] = option(
        "--metric", default=(), help="Additional metrics: bss (SDR of BSS Eval, 512 taps); slow."
    )
    report: bool = option(
        "--report/--no-report", default=True, shown="yes", help="Write report.html with sounds to listen to."
    )
    examples: int = option(default=4, help="How many of the best and of the worst items are in the report.")
    check_published: bool = option(
        "--check-published", default=False, help="Compare with published figures; exit code 1 if they are not met."
    )

    def __post_init__(self) -> None:
        for name in ("batch_size", "limit", "workers"):
            value = getattr(self, name)
            check_field(self, name, value is None or value >= 1, "at least 1")
        check_field(self, "max_missing", 0 <= self.max_missing <= 1, "a share between 0 and 1")
        if len(self.benchmark) > 1:
            if self.audio_dir:
                raise InputError(f"--audio-dir {self.audio_dir}: is for one --benchmark; give --data-root for several")
            if self.items:
                raise InputError("--items: is for one --benchmark; evaluate the benchmarks one by one")
            if self.metadata_csv and not self.metadata_csv.is_dir():
                raise InputError(
                    f"--metadata-csv {self.metadata_csv}: a table is for one --benchmark; give the tables' folder"
                )
