"""``evaluate``: every adapter on every item of a benchmark, and the selection policies compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dplass_cli.devices import process_device, process_share
from dplass_cli.errors import InputError
from dplass_cli.evaluation.conditions import make_conditions
from dplass_cli.evaluation.evaluation_run import EvaluateResult, EvaluationRun
from dplass_cli.evaluation.evaluator import plan_runs
from dplass_cli.evaluation.results_folder import RESULTS, TABLE, is_evaluation
from dplass_cli.evaluation.songs import (
    find_songs,
    require_museval,
    score_songs,
    song_separators,
    songs_table,
    summarise,
)
from dplass_cli.extras import drawn
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.parse import to_mapping
from dplass_cli.reports.evaluation_report import write_report
from dplass_cli.separation.loading import load_models
from dplass_cli.storage import Progress, make_folder, no_progress, write_json, write_text
from dplass_cli.versions import versions
from dplass_cli.weights.hub import fetch_from_hub, is_hub_address

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
        keep=process_device(options.device).type != "cpu",  # a CPU reads an adapter faster than it runs the network
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
    """The options with commits as revisions of what is on the Hub, so that results say which files they belong to."""

    def pin(text: str) -> str:
        return str(fetch_from_hub(text)[1]) if is_hub_address(text) else text

    name, adapters = options.model_name, options.adapters
    return replace(
        options,
        model_name=None if name is None else pin(name),
        adapters=None if adapters is None else tuple(map(pin, adapters)),
    )


@dataclass(frozen=True)
class SongsResult:
    """Result of :func:`evaluate_songs`.

    Attributes:
        benchmark: ``musdb18``.
        folder: the evaluation folder: ``songs.csv``, ``results.md`` and ``results.json``.
        songs: number of songs.
        scores: one mapping per policy and source (:func:`~dplass_cli.evaluation.songs.summarise`); dB.
    """

    benchmark: str
    folder: Path
    songs: int
    scores: list[dict[str, Any]]


def evaluate_songs(options: EvaluateOptions, progress: Progress = no_progress) -> SongsResult:
    """Evaluate policies on the songs of MUSDB18; only the base, or also the default one where there are adapters.

    Raises:
        InputError: wrong options, songs or models, or museval is not installed.
        RunError: an output is not finite.
    """
    options, museval = pinned(options), "museval" in options.metric
    if museval:
        require_museval()
    if options.data_root is None:
        raise InputError("--benchmark musdb18: give the folder that contains test as --data-root")
    if is_evaluation(options.output):
        raise InputError(f"{options.output}: contains the evaluation of another benchmark; give another --output")
    songs = find_songs(options.data_root, "test", options.output / "stems", progress)[: options.limit]
    models = load_models(options.model)
    separators = song_separators(models, options.select, options.model)
    scores = score_songs(songs, separators, museval, progress)
    table = summarise(scores)
    make_folder(options.output)
    write_text(options.output / "songs.csv", scores.to_csv(index=False))
    result = SongsResult("musdb18", options.output, len(songs), json.loads(table.to_json(orient="records")))
    write_text(options.output / TABLE, songs_table(result.scores).markdown())
    more = {**models.hashes, "options": to_mapping(options), "versions": versions()}
    write_json(options.output / RESULTS, {**to_mapping(result), **more})
    return result


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
