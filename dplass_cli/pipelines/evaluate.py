"""``evaluate``: every adapter on every item of a benchmark, and the selection policies compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from dplass_cli.devices import in_bfloat16, process_device, process_share
from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.conditions import make_conditions
from dplass_cli.evaluation.evaluator import Running, plan_runs
from dplass_cli.evaluation.examples import worst_and_best
from dplass_cli.evaluation.run import EvaluateResult, find_task, run_task, write_results
from dplass_cli.options.parse import to_mapping
from dplass_cli.pipelines.models import RunningOptions
from dplass_cli.reports.evaluation_report import write_report
from dplass_cli.storage import Progress, no_progress

__all__ = ["EvaluateOptions", "EvaluateResult", "evaluate", "summary"]

REPORT = "report.html"
# Options that do not change the results, so that ``results.json`` leaves them out.
_NOT_MEASURED = ("output", "batch_size", "workers", "device", "backend", "report", "examples", "check_published")
_BATCH_ON_CPU, _BATCH_ELSEWHERE = 4, 16


@dataclass(frozen=True)
class EvaluateOptions(RunningOptions):
    """Options of ``evaluate``; the models as :class:`~dplass_cli.pipelines.models.RunningOptions`.

    Attributes:
        output: folder of ``results.json``, ``results.md``, ``report.html``, ``items.csv`` and ``choices.csv``, of each
            benchmark in a folder of its own where there are several; an interrupted run goes on in it.
        benchmark: rows of the table of benchmarks.
        metadata_csv: the benchmark's table, or the folder of the tables.
        audio_dir: where the one benchmark's audio lies; default beside the table, or below ``data_root``.
        data_root: the folder of ``AudioCaps_evaluation``, ``AudioSet_evaluation`` …
        query_column: another column of queries (AudioCaps: ``labels``).
        select: the policies to report; default all of the table that the adapters serve.
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


def evaluate(options: EvaluateOptions, progress: Progress = no_progress) -> dict[str, EvaluateResult]:
    """Evaluate benchmarks one after another: {benchmark: result}. Under ``torchrun`` each process does its share.

    Raises:
        InputError: wrong options, table, audio or models; too many items without usable audio.
        RunError: an output is not finite.
    """
    several = len(options.benchmark) > 1
    tasks = [
        find_task(
            name,
            options.output / name if several else options.output,
            options.data_root,
            options.metadata_csv,
            options.audio_dir,
            options.query_column,
            options.items,
            options.limit,
        )
        for name in options.benchmark
    ]
    device = process_device(options.device)
    models = options.load_models(
        options.adapters,
        device,
        keep=device.type != "cpu",  # on a CPU, reading an adapter again takes no time compared to a forward pass
        backend=options.backend,
        patience=0.0,  # so that a resumed run computes the same bits
    )
    conditions = make_conditions(options.select, models.bank, options.similarity)
    plan_runs(tasks[0].items[:1], conditions, models)  # reports what a policy lacks before files are checked
    names = {condition.name for condition in conditions}
    if options.check_published and not any(r.policy in names for task in tasks for r in task.benchmark.published):
        raise InputError("--check-published: nothing is published for these benchmarks and policies; select base")
    measured = {name: value for name, value in to_mapping(options).items() if name not in _NOT_MEASURED}
    results = {}
    for task in tasks:
        settings = _running(task.benchmark, options, device)
        result = run_task(
            task, models, conditions, settings, options.max_missing, options.check_published, process_share(), progress
        )
        if result.complete and options.report:
            examples = worst_and_best(result, models, conditions, settings, options.examples)
            write_report(task.folder / REPORT, result, examples, models)
        if result.complete:
            write_results(result, models, settings, measured)
        results[result.benchmark] = result
    return results


def _running(benchmark: Benchmark, options: EvaluateOptions, device: torch.device) -> Running:
    bfloat16 = in_bfloat16(options.precision, device)
    size = options.batch_size or (_BATCH_ON_CPU if device.type == "cpu" else _BATCH_ELSEWHERE)
    return Running(benchmark.seconds, size, options.workers, bfloat16, options.similarity, "bss" in options.metric)


def summary(result: EvaluateResult) -> dict[str, Any]:
    """A result as ``--json`` prints it, without the choices for each item."""
    scores = to_mapping(result.scores)
    del scores["chosen"]
    return {
        "benchmark": result.benchmark,
        "folder": str(result.folder),
        "items": result.n,
        "unusable": result.unusable,
        "complete": result.complete,
        **scores,
        **({"published": to_mapping(result.checks)} if result.checks else {}),
    }
