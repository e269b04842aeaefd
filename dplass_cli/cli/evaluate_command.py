"""``dplass evaluate``: every adapter on a benchmark, and what each selection policy reaches with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from dplass_cli.cli.console import EXIT_SOME_FAILED, VerbRun
from dplass_cli.options.evaluate_options import EvaluateOptions

if TYPE_CHECKING:
    from dplass_cli.evaluation.evaluation_run import EvaluateResult


interrupted = "scores of finished items are kept; run the same command again"


def command(options: EvaluateOptions, run: VerbRun) -> None:
    """Measure the base and every adapter, and compare the policies that select an adapter.

    Example: dplass evaluate --metadata-csv eval.csv --audio-dir audio --adapters run/bank --output eval
    """
    from dplass_cli.pipelines.evaluate import evaluate, evaluate_songs, summary

    if options.songs:
        evaluated = evaluate_songs(options, run.progress)
        run.result(evaluated, lambda: evaluated.table.rich())
        if not evaluated.complete:
            run.note(f"{evaluated.benchmark}: other processes are still at work; the last one writes the results")
        return
    results = evaluate(options, run.progress)
    shown = {name: summary(result) for name, result in results.items()}
    body = next(iter(shown.values())) if len(shown) == 1 else {"benchmarks": shown}
    run.result(body, lambda: _tables(results))
    for result in results.values():
        if not result.complete:
            run.note(f"{result.benchmark}: other processes are still at work; the last one writes the results")
        if result.scores.silent:
            run.note(f"{result.benchmark}: {len(result.scores.silent)} items with a silent reference are excluded")
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
        policy_table(
            f"{result.benchmark}: {result.folder}", result.scores.policies, result.run.benchmark, result.default
        )
        for result in done
    ]
    checks = [check for result in done for check in result.checks]
    return Group(*(table.rich() for table in [*tables, *([check_table(checks)] if checks else [])]))
