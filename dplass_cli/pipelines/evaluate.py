"""``evaluate``: every adapter on every item of a benchmark, and the selection policies compared."""

from __future__ import annotations

from typing import Any

import torch

from dplass_cli.devices import in_bfloat16, process_device, process_share
from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.conditions import make_conditions
from dplass_cli.evaluation.evaluation_run import EvaluateResult, find_task, run_task, write_results
from dplass_cli.evaluation.evaluator import EvaluatorSettings, plan_runs
from dplass_cli.evaluation.examples import worst_and_best
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.parse import to_mapping
from dplass_cli.reports.evaluation_report import write_report
from dplass_cli.separation.loading import load_models
from dplass_cli.storage import Progress, no_progress

REPORT = "report.html"
# Options that do not change the results, so that ``results.json`` leaves them out.
_NOT_MEASURED = ("output", "batch_size", "workers", "device", "backend", "report", "examples", "check_published")
_BATCH_ON_CPU, _BATCH_ELSEWHERE = 4, 16


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
    models = load_models(
        options.model,
        keep=device.type != "cpu",  # on a CPU, reading an adapter again takes no time compared to a forward pass
        warmup_macs=0.0,  # so that a resumed run computes the same bits
    )
    conditions = make_conditions(options.select, models.bank, options.similarity, options.refine)
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


def _running(benchmark: Benchmark, options: EvaluateOptions, device: torch.device) -> EvaluatorSettings:
    bfloat16 = in_bfloat16(options.precision, device)
    size = options.batch_size or (_BATCH_ON_CPU if device.type == "cpu" else _BATCH_ELSEWHERE)
    return EvaluatorSettings(
        benchmark.seconds, size, options.workers, bfloat16, options.similarity, "bss" in options.metric
    )


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
