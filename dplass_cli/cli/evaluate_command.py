"""``dplass evaluate``: every adapter on a benchmark, and what each selection policy makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.console import (
    EXIT_SOME_FAILED,
    Adapters,
    Backend,
    Base,
    Config,
    Device,
    Encoder,
    Json,
    Precision,
    Settings,
    Tokenizer,
    Trust,
    Verbose,
    options_of,
    verb,
)

if TYPE_CHECKING:
    from dplass_cli.evaluation.run import EvaluateResult


def command(
    context: typer.Context,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            help="audioset, audiocaps, clotho, esc50, vggsound, music or custom; repeatable.  [default: custom]"
        ),
    ] = None,
    metadata_csv: Annotated[
        Path | None, typer.Option("--metadata-csv", help="The benchmark's table, or the folder of the tables.")
    ] = None,
    audio_dir: Annotated[
        Path | None, typer.Option("--audio-dir", help="Its audio.  [default: beside the table]")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", help="Folder of AudioCaps_evaluation, AudioSet_evaluation …")
    ] = None,
    query_column: Annotated[
        str | None, typer.Option("--query-column", help="Another column of queries, such as labels of AudioCaps.")
    ] = None,
    base_checkpoint: Base = None,
    adapters: Adapters = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    select: Annotated[
        str | None,
        typer.Option(help="base, text, text-knn, proven, audio, blend, contrast, oracle, single:3.  [default: all]"),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The evaluation folder; resumes there.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many items.")] = None,
    items: Annotated[str | None, typer.Option(help="Only the items of these names, such as 3,17.")] = None,
    max_missing: Annotated[
        float | None, typer.Option("--max-missing", help="Share of items without audio that stops.  [default: 0.05]")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Items a forward.  [default: 4 on a CPU, 16 elsewhere]")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that read ahead.  [default: 4]")] = None,
    precision: Precision = None,
    similarity: Annotated[
        bool | None,
        typer.Option("--similarity/--no-similarity", help="Embed the outputs; audio needs it.  [default: yes]"),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="More metrics: bss (BSS Eval's SDR, 512 taps); slow.")
    ] = None,
    report: Annotated[
        bool | None, typer.Option("--report/--no-report", help="Write report.html with sounds.  [default: yes]")
    ] = None,
    check_published: Annotated[
        bool | None, typer.Option("--check-published", help="Tell whether published figures are met; exit 1 if not.")
    ] = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    backend: Backend = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure the base and every adapter, and compare the ways of choosing an adapter.

    Example: dplass evaluate --metadata-csv eval.csv --audio-dir audio --adapters run/bank --output eval
    """
    with verb(json, verbose) as run:
        from dplass_cli.options.evaluate_options import EvaluateOptions
        from dplass_cli.pipelines.evaluate import evaluate, summary

        results = evaluate(options_of(EvaluateOptions, context), run.progress)
        shown = {name: summary(result) for name, result in results.items()}
        body = next(iter(shown.values())) if len(shown) == 1 else {"benchmarks": shown}
        run.result(body, lambda: _tables(results))
        for result in results.values():
            if not result.complete:
                run.note(f"{result.benchmark}: other processes are not done yet; the last to end writes the results")
            if result.scores.silent:
                run.note(
                    f"{result.benchmark}: {len(result.scores.silent)} items have a silent reference and stand apart"
                )
            for idx, reason in result.unusable.items():
                run.note(f"dplass: {result.benchmark} {idx} left out: {reason}")
        if any(result.unusable for result in results.values()) or not all(
            check.within for result in results.values() for check in result.checks
        ):
            raise typer.Exit(EXIT_SOME_FAILED)


def _tables(results: dict[str, EvaluateResult]) -> Any:
    from rich.console import Group

    from dplass_cli.evaluation.reference_results import check_table
    from dplass_cli.evaluation.table import policy_table

    done = [result for result in results.values() if result.complete]
    tables = [
        policy_table(f"{result.benchmark}: {result.folder}", result.scores.policies, result.task.benchmark)
        for result in done
    ]
    checks = [check for result in done for check in result.checks]
    return Group(*(table.rich() for table in [*tables, *([check_table(checks)] if checks else [])]))
