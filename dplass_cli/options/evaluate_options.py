"""Options of ``evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.model_options import RunningOptions


@dataclass(frozen=True)
class EvaluateOptions(RunningOptions):
    """Options of ``evaluate``; the models as :class:`~dplass_cli.options.model_options.RunningOptions`.

    Attributes:
        output: folder of ``results.json``, ``results.md``, ``report.html``, ``items.csv`` and ``choices.csv``, of each
            benchmark in a folder of its own where there are several; an interrupted run goes on in it.
        benchmark: rows of the table of benchmarks.
        metadata_csv: the benchmark's table, or the folder of the tables.
        audio_dir: where the one benchmark's audio lies; default beside the table, or below ``data_root``.
        data_root: the folder of ``AudioCaps_evaluation``, ``AudioSet_evaluation`` …
        query_column: another column of queries (AudioCaps: ``labels``).
        select: the policies to report; default all of the table that the adapters serve.
        refine: report each policy without refinement, with it, or both; default: as ``select`` says, such as
            ``text+residual``, and without ``select`` one policy with refinement in addition.
        limit: only the first so many items. items: only the items of these names.
        max_missing: the share of items without usable audio above which nothing is evaluated.
        batch_size: items a forward; default 4 on a CPU, 16 elsewhere.
        workers: threads that read ahead.
        similarity: embed the outputs; ``audio`` needs it. metric: more of them: ``bss``, BSS Eval's SDR.
        check_published: compare with the published figures of the benchmarks.
        report: write ``report.html``, with ``examples`` worst and as many best items to listen to.
    """

    output: Path
    benchmark: tuple[str, ...] = ("custom",)
    metadata_csv: Path | None = None
    audio_dir: Path | None = None
    data_root: Path | None = None
    query_column: str | None = None
    select: tuple[str, ...] | None = None
    refine: Literal["none", "residual", "both"] | None = None
    limit: int | None = None
    items: tuple[str, ...] | None = None
    max_missing: float = 0.05
    batch_size: int | None = None
    workers: int = 4
    similarity: bool = True
    metric: tuple[Literal["bss"], ...] = ()
    report: bool = True
    examples: int = 4
    check_published: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "limit", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if not 0 <= self.max_missing <= 1:
            raise ValueError(f"max_missing must be a share between 0 and 1, not {self.max_missing}")
        if len(self.benchmark) > 1 and (self.audio_dir or self.items):
            raise ValueError("audio_dir and items go with one benchmark; give --data-root for several")
        if len(self.benchmark) > 1 and self.metadata_csv and not self.metadata_csv.is_dir():
            raise ValueError(
                "a table goes with one benchmark; give --metadata-csv the folder of the tables for several"
            )
