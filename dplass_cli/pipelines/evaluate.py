"""``evaluate``: every adapter on every item of a benchmark, and the selection policies compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dplass_cli.devices import process_device, process_share
from dplass_cli.errors import InputError
from dplass_cli.evaluation.conditions import make_conditions
from dplass_cli.evaluation.evaluation_run import EvaluateResult, EvaluationRun
from dplass_cli.evaluation.evaluator import plan_runs
from dplass_cli.evaluation.songs_run import SongsResult, SongsRun
from dplass_cli.extras import drawn
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.parse import to_mapping
from dplass_cli.reports.evaluation_report import write_report
from dplass_cli.separation.loading import load_models
from dplass_cli.storage import Progress, no_progress
from dplass_cli.weights.hub import fetch_from_hub, is_hub_address
from dplass_cli.weights.named_models import resolve_model

REPORT = "report.html"


def evaluate(options: EvaluateOptions, progress: Progress = no_progress) -> dict[str, EvaluateResult]:
    """Evaluate benchmarks one after another: {benchmark: result}. Under ``torchrun`` each process does its share.

    Raises:
        InputError: wrong options, table, audio or models; too many items without usable audio.
        RunError: an output is not finite.
    """
    options = pinned(options)
    runs = [EvaluationRun(name, options) for name in options.benchmark]
    models = load_models(
        options.model,
        # A CPU reads a large adapter faster than it runs a large network.
        keep=process_device(options.device).type != "cpu",
        warmup_macs=0.0,  # so that a resumed run computes the same bits
    )
    listens = models.encoder.embeds_audio
    refine = options.refine if listens else options.refine or "none"
    conditions = make_conditions(options.select, models.bank, options.similarity and listens, refine)
    plan_runs(runs[0].items[:1], conditions, models)  # reports what a policy lacks before files are checked
    names = {condition.name for condition in conditions}
    if options.check_published and not any(r.policy in names for run in runs for r in run.benchmark.published):
        raise InputError("--check-published: nothing is published for these benchmarks and policies; select base")
    results = {}
    for run in runs:
        result = run.run(models, conditions, process_share(), progress)
        if result.complete and options.report and drawn("evaluate"):
            write_report(run.folder / REPORT, result, models, conditions, options.examples)
        if result.complete:
            run.write(result, models)
        results[result.benchmark] = result
    return results


def pinned(options: EvaluateOptions) -> EvaluateOptions:
    """The options with what results say: commits as revisions of the Hub, and a named model's precision."""

    def pin(text: str) -> str:
        return str(fetch_from_hub(text)[1]) if is_hub_address(text) else text

    name, adapters = options.model_name, options.adapters
    options = replace(
        options,
        model_name=None if name is None else pin(name),
        adapters=None if adapters is None else tuple(map(pin, adapters)),
    )
    model = resolve_model(options.model)
    return replace(options, precision=model.precision, device=model.device)


def evaluate_songs(options: EvaluateOptions, progress: Progress = no_progress) -> SongsResult:
    """Evaluate policies on the songs of MUSDB18; only the base, or also the default one where there are adapters.

    Raises:
        InputError: wrong options, songs or models, or museval is not installed.
        RunError: an output is not finite.
    """
    options = pinned(options)
    run = SongsRun(options, progress)
    models = load_models(options.model, warmup_macs=0.0)  # so that a resumed run computes the same bits
    conditions = run.conditions(models)
    result = run.run(models, conditions, process_share(), progress)
    if not result.complete:
        return run.result(result)
    if options.report and drawn("evaluate"):
        write_report(run.folder / REPORT, result, models, conditions, options.examples, [run.result(result).table])
    return run.write(result, models)


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
        "default": result.default,
        **scores,
        **({"published": to_mapping(result.checks)} if result.checks else {}),
    }
