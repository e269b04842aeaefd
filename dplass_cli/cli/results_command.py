"""``dplass results``: compare evaluations, tabulate those of a folder, and measure distances of sets of sounds."""

from __future__ import annotations

import typer

from dplass_cli.cli.commands import add_command
from dplass_cli.cli.console import VerbRun
from dplass_cli.options.results_options import ResultsCompareOptions, ResultsFadOptions, ResultsScanOptions

app = typer.Typer(no_args_is_help=True)


def _compare(options: ResultsCompareOptions, run: VerbRun) -> None:
    """Compare runs on the items they have in common, by a paired bootstrap.

    Example: dplass results compare first second --output comparison
    """
    from dplass_cli.evaluation.comparison import comparison_table
    from dplass_cli.pipelines.results import compare_results

    compared = compare_results(options.runs, options.select, options.output)
    run.result(compared, lambda: comparison_table(compared.lines).rich())


def _scan(options: ResultsScanOptions, run: VerbRun) -> None:
    """Tabulate every evaluation below a folder.

    Example: dplass results scan runs
    """
    from dplass_cli.evaluation.comparison import scan_table
    from dplass_cli.pipelines.results import scan_results

    found = scan_results(options.folder, options.output)
    run.result(found, lambda: scan_table(found).rich())


def _fad(options: ResultsFadOptions, run: VerbRun) -> None:
    """Measure the Fréchet audio distance of two folders of sounds, such as generated and recorded ones.

    Example: dplass results fad generated recorded
    """
    from dplass_cli.pipelines.results import fad

    result = fad(options, run.progress)
    cells = [f"{result.distance:.4f}", *result.sounds, result.encoder]
    columns = ["Fréchet audio distance", "sounds of the first", "of the second", "embeddings"]
    run.table(result, columns, [cells], left=0)
    if min(result.sounds) <= result.size:
        run.note(
            f"fewer sounds than the {result.size} dimensions of an embedding: the distance is biased upwards;"
            " compare it only with that of sets of the same sizes"
        )
    run.some_failed(result.failed.values())


add_command(app, "compare", _compare)
add_command(app, "scan", _scan)
add_command(app, "fad", _fad)
