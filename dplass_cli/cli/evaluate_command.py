"""``dplass evaluate``: every adapter on a benchmark, and what each selection policy reaches with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from dplass_cli.cli.console import EXIT_SOME_FAILED, VerbRun, plain_table
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.reports.markdown import with_interval

if TYPE_CHECKING:
    from dplass_cli.evaluation.reference_results import ReferenceCheck
    from dplass_cli.evaluation.scores import PolicyScore
    from dplass_cli.pipelines.evaluate import EvaluateResult


def command(options: EvaluateOptions, run: VerbRun) -> None:
    """Measure the base and every adapter, and compare the policies that select an adapter.

    Example: dplass evaluate --metadata-csv eval.csv --audio-dir audio --adapters run/bank --output eval
    """
    from dplass_cli.pipelines.evaluate import evaluate, summary

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

    done = {name: result for name, result in results.items() if result.complete}
    tables = [policy_table(f"{name}: {result.folder}", result.scores.policies) for name, result in done.items()]
    checks = [check for result in done.values() for check in result.checks]
    return Group(*tables, *([check_table(checks)] if checks else []))


def policy_table(title: str, policies: dict[str, PolicyScore]) -> Any:
    """A row per policy."""
    rows = [
        [
            f"{name} (bound: sees the reference)" if score.bound else name,
            with_interval(score.sdri, score.sdri_ci),
            f"{score.si_sdr:.2f}",
            "" if score.difference is None or name == "base" else f"{score.difference:+.2f}",
            "" if score.regret is None else f"{score.regret:.2f}",
            "" if score.accuracy is None else f"{score.accuracy:.0%}",
            str(score.n),
        ]
        for name, score in policies.items()
    ]
    columns = ["policy", "SDRi (dB) [95%]", "SI-SDR (dB)", "over base (dB)", "regret (dB)", "accuracy", "items"]
    return plain_table(title, columns, rows)


def check_table(checks: list[ReferenceCheck]) -> Any:
    """A row per published figure."""
    rows = [
        [
            f"{check.benchmark} {check.metric}",
            check.system,
            f"{check.published:.3f}",
            f"{check.measured:.3f}",
            f"{check.tolerance:.2f}",
            check.verdict,
        ]
        for check in checks
    ]
    return plain_table(
        "Published figures", ["", "system", "published", "measured", "tolerance", "verdict"], rows, left=2
    )
