"""What all verbs share: common options, progress, results, and errors as one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TypeVar

import typer

from dplass_cli.errors import DplassError, InputError, one_line

T = TypeVar("T")

EXIT_SOME_FAILED, EXIT_INTERRUPTED = 1, 3
_OF_PATHS = {
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EROFS),
    *(errno.EIO, errno.ESTALE),
}

Config = Annotated[Path | None, typer.Option("--config", help="YAML file of options.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="One option as key.path=value; wins over --config. Repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable result on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, and tracebacks of errors.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.  [default: auto]")]
Backend = Annotated[
    str | None, typer.Option(help="torch or openvino (extra, CPU).  [default: auto, the faster on this device]")
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Of the convolutions: 32-true or bf16-mixed.  [default: auto, the second on a GPU that has bfloat16]"
    ),
]
Base = Annotated[
    str | None,
    typer.Option("--base-checkpoint", help="Base model: tiny or a checkpoint.  [default: tiny]"),
]
Encoder = Annotated[str | None, typer.Option(help="Query encoder: tiny or a file.  [default: the base's own]")]
OneEncoder = Annotated[str | None, typer.Option("--encoder", help="Query encoder: tiny or a file.  [default: tiny]")]
Tokenizer = Annotated[Path | None, typer.Option(help="Folder of the tokenizer, for a CLAP encoder.")]
Adapters = Annotated[
    list[str] | None,
    typer.Option(help="Bank, adapter folder or published file; repeatable.  [default: the bundled ones, if any]"),
]
Select = Annotated[
    str | None,
    typer.Option(help="contrast, proven, text, text-knn, audio, blend, base or single:3."),
]
Stereo = Annotated[
    str | None, typer.Option(help="shared: one mask for all channels; each: one a channel.  [default: shared]")
]
Trust = Annotated[
    bool | None,
    typer.Option("--trust-checkpoint", help="Read pickled checkpoints that can run code. Only if you trust them."),
]


def options_of(
    kind: type[T],
    context: typer.Context,
    names: Mapping[str, str | None] | None = None,
    more: Mapping[str, Any] | None = None,
    adopt: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
) -> T:
    """A verb's options, of its ``--config``, its ``--set`` and all its flags, as ``build_options`` puts them together.

    Args:
        kind: the options, a frozen dataclass.
        context: holds what was given, by the names of the command's parameters.
        names: {parameter: the option it sets}, where that has another name; None where it sets none.
        more: options that no flag says alone; they win.
        adopt: as :func:`~dplass_cli.options.parse.build_options`.

    Raises:
        InputError: an unknown key, an ill-typed value, or a required option that nothing gave.
    """
    from dplass_cli.options.parse import build_options

    own = {"config": None, "settings": None, "json": None, "verbose": None, **(names or {})}
    named = {own.get(name, name): value for name, value in context.params.items()}
    flags = {name: value for name, value in named.items() if name is not None}
    given = context.params
    return build_options(kind, given["config"], given["settings"] or (), {**flags, **(more or {})}, adopt)


class Verb:
    """One run of a verb: where progress and results go."""

    def __init__(self, json_output: bool) -> None:
        self.json_output = json_output
        self._bar: Any = None
        self._lines: dict[str, Any] = {}
        self._told = time.monotonic()

    def progress(self, done: int, total: int, what: str) -> None:
        """Show progress on stderr: a bar on a terminal, a line every ten seconds elsewhere."""
        if sys.stderr.isatty():
            self._show_bar(done, total, what)
        elif time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            typer.echo(f"{what}: {done} of {total}", err=True)

    def _show_bar(self, done: int, total: int, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        # Work with a name, such as "domain3: loss 0.01", gets a line of its own; there may be several at once.
        name = what.partition(": ")[0] if ": " in what else ""
        if name not in self._lines:
            self._lines[name] = self._bar.add_task(what, total=total)
        self._bar.update(self._lines[name], completed=done, total=total, description=what)

    def close(self) -> None:
        """Take the progress bar off the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._lines = None, {}

    def result(self, value: Any, table: Callable[[], Any]) -> None:
        """Print a result: as JSON where it was asked for, else as what ``table`` makes for people."""
        from dplass_cli.options.parse import to_mapping
        from dplass_cli.storage import json_text

        self.close()
        if self.json_output:
            typer.echo(json_text(to_mapping(value)))
        else:
            from rich.console import Console

            width = None if sys.stdout.isatty() else 140
            Console(width=width, highlight=False, markup=False, soft_wrap=not sys.stdout.isatty()).print(table())

    def note(self, text: str) -> None:
        """Say something to people, on stderr."""
        self.close()
        typer.echo(text, err=True)

    def some_failed(self, reasons: Iterable[str]) -> None:
        """Say why items failed, a line each, and end with exit code 1; nothing where none did."""
        for reason in (told := list(reasons)):
            self.note(f"dplass: {reason}")
        if told:
            raise typer.Exit(EXIT_SOME_FAILED)


@contextlib.contextmanager
def verb(json_output: bool = False, verbose: bool = False) -> Iterator[Verb]:
    """Run a verb: errors become one line on stderr and an exit code.

    0 done, 1 some items failed or the run could not go on, 2 wrong usage or input, 3 interrupted (resumable).
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("dplass_cli").setLevel(logging.INFO if verbose else logging.WARNING)
    quieten(verbose)
    run = Verb(json_output)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield run
    except DplassError as error:
        run.close()
        if verbose:
            logging.exception("traceback of the error")
        typer.echo(f"dplass: {one_line(str(error))}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as stop:
        run.close()
        typer.echo(
            "dplass: interrupted; what was finished is kept, run the same again (train: with --resume)", err=True
        )
        raise typer.Exit(EXIT_INTERRUPTED) from stop
    except BrokenPipeError:
        # The reader of our output has left (such as head); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(EXIT_SOME_FAILED) from None
    except OSError as error:
        # Of a path that was looked at in passing; what is written or read on purpose has its own words.
        if error.filename is None or error.errno not in _OF_PATHS:
            raise
        run.close()
        typer.echo(
            f"dplass: {one_line(str(error.filename))}: {error.strerror}; check the path and its permissions", err=True
        )
        raise typer.Exit(InputError.exit_code) from error
    finally:
        run.close()
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def quieten(verbose: bool) -> None:
    """Leave the training library's advice to its developers, and its tips, out of a user's terminal."""
    import warnings

    if not verbose:
        warnings.filterwarnings("ignore", module=r"(lightning|torch|optuna)\..*")
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a picture's caption in another script
        warnings.filterwarnings("ignore", message=".*isinstance.treespec")  # of torch's own, while it exports
    lightning = ("pytorch.utilities.rank_zero", "fabric.utilities.rank_zero", "fabric.utilities.distributed")
    for name in (*(f"lightning.{name}" for name in lightning), "optuna"):
        logging.getLogger(name).setLevel(logging.WARNING if verbose else logging.ERROR)


def plain_table(title: str, columns: list[str], rows: list[list[str]], left: int = 1) -> Any:
    """A table for people: the first ``left`` columns to the left, the others to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
