"""What all verbs share: progress, results, notes, and errors as one line and an exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

import typer

from dplass_cli import environment
from dplass_cli.errors import DplassError, InputError, one_line, path_error
from dplass_cli.progress import ProgressBars

EXIT_SOME_FAILED, EXIT_INTERRUPTED = 1, 3

FILES_ARE_COMPLETE = "all files that it has written are complete; run the same command again"
"""What is said of a verb that is interrupted, unless it keeps something."""


class VerbRun:
    """One run of a verb: where its progress, results and notes go.

    Attributes:
        json: print the result as JSON.
        verbose: log progress and tracebacks.
        progress: the callback that shows progress.
    """

    def __init__(self, json: bool = False, verbose: bool = False) -> None:
        self.json, self.verbose = json, verbose
        self.progress = ProgressBars()

    def result(self, value: Any, table: Callable[[], Any]) -> None:
        """Print a result: with ``--json`` as JSON, else as what ``table`` returns."""
        from dplass_cli.options.parse import to_mapping
        from dplass_cli.storage import json_text

        self.progress.close()
        if self.json:
            typer.echo(json_text(to_mapping(value)))
        else:
            from rich.console import Console

            width = None if sys.stdout.isatty() else 140
            Console(width=width, highlight=False, markup=False, soft_wrap=not sys.stdout.isatty()).print(table())

    def table(self, value: Any, columns: list[str], rows: list[list[Any]], title: str = "", left: int = 1) -> None:
        """Print a result: with ``--json`` as JSON, else as a table; see :func:`plain_table`."""
        self.result(value, lambda: plain_table(columns, rows, title, left))

    def note(self, text: str) -> None:
        """Print a note on stderr."""
        self.progress.close()
        typer.echo(text, err=True)

    def recordings_failed(self, reasons: Mapping[str, str]) -> None:
        """As :meth:`some_failed`, for reasons by the path of a recording, which most of them name already."""
        self.some_failed(
            reason if reason.startswith(path) else f"{path} failed: {reason}" for path, reason in reasons.items()
        )

    def some_failed(self, reasons: Iterable[str]) -> None:
        """Print why items failed, a line per reason, and end with exit code 1; does nothing if none did."""
        failed = Counter(reasons)
        for reason, count in failed.items():
            self.note(f"dplass: {reason}" + (f" ({count:,} times)" if count > 1 else ""))
        if failed:
            raise typer.Exit(EXIT_SOME_FAILED)


@contextlib.contextmanager
def verb_run(json: bool = False, verbose: bool = False, interrupted: str = FILES_ARE_COMPLETE) -> Iterator[VerbRun]:
    """Run a verb: errors become one line on stderr and an exit code.

    0 done, 1 some items failed or the run could not go on, 2 wrong usage or input, 3 interrupted (resumable).

    Args:
        json: print one machine-readable result.
        verbose: log progress and tracebacks.
        interrupted: what is kept when the verb is interrupted, and how to go on.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("dplass_cli").setLevel(logging.INFO if verbose else logging.WARNING)
    for note in environment.notes:
        logging.getLogger(environment.__name__).info(note)
    quieten(verbose)
    run = VerbRun(json, verbose)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield run
    except DplassError as error:
        if verbose:
            logging.exception("traceback of the error")
        run.note(f"dplass: {one_line(str(error))}")
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as stop:
        run.note(f"dplass: interrupted; {interrupted}")
        raise typer.Exit(EXIT_INTERRUPTED) from stop
    except BrokenPipeError:
        # The reader of our output (such as head) has exited: write no more, or the interpreter complains as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(EXIT_SOME_FAILED) from None
    except OSError as error:
        run.note(f"dplass: {path_error(error)}")
        raise typer.Exit(InputError.exit_code) from error
    finally:
        run.progress.close()
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def quieten(verbose: bool) -> None:
    """Hide advice and tips of the training library, which are meant for developers."""
    import warnings

    if not verbose:
        warnings.filterwarnings("ignore", module=r"(lightning|torch|optuna)\..*")
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # captions in other scripts, in plots
        warnings.filterwarnings("ignore", message=".*isinstance.treespec")  # raised by torch itself while it exports
    lightning = ("pytorch.utilities.rank_zero", "fabric.utilities.rank_zero", "fabric.utilities.distributed")
    for name in (*(f"lightning.{name}" for name in lightning), "optuna"):
        logging.getLogger(name).setLevel(logging.WARNING if verbose else logging.ERROR)


def decibels(value: float | None) -> str:
    """A figure in dB; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def plain_table(columns: list[str], rows: list[list[Any]], title: str = "", left: int = 1) -> Any:
    """A table: the first ``left`` columns are aligned left, the others right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table
