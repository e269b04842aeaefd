"""``dplass separate``: recordings and sentences in, targets out."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.console import (
    Adapters,
    Backend,
    Base,
    Config,
    Device,
    Encoder,
    Json,
    Precision,
    Select,
    Settings,
    Stereo,
    Tokenizer,
    Trust,
    Verbose,
    options_of,
    plain_table,
    verb,
)

if TYPE_CHECKING:
    from dplass_cli.pipelines.separate import SeparateResult
    from dplass_cli.separation.output import Separated

PIPE = Path("-")
ONE_TARGET = "--output - writes one target; give one --query and no --residual, or name a folder"


def command(
    context: typer.Context,
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Recordings, folders, patterns, or - for a wav on standard input.")
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option("--query", "-q", help="What to separate: -q 'a dog barking'. Repeatable.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="File of queries, a line each: --queries sounds.txt")] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(help="A recording of the sound, or a folder of several: --like my_dog.wav. Repeatable."),
    ] = None,
    spans: Annotated[
        str | None, typer.Option(help="Seconds at which the target occurs in the input: --spans 3.2-4.0,6-7")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--not",
            help="What to keep out of the targets: -q speech --not wind. Alone: the input without it. Repeatable.",
        ),
    ] = None,
    list_file: Annotated[
        Path | None, typer.Option("--list", help="File of lines: path, TAB, query, TAB, output name.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the targets, or - for standard output.")
    ] = None,
    residual: Annotated[bool | None, typer.Option("--residual", help="Also write the input less all targets.")] = None,
    consistent: Annotated[
        bool | None, typer.Option("--consistent", help="Count no sound twice: targets share the input: -q rain -q wind")
    ] = None,
    silence_if_absent: Annotated[
        float | None,
        typer.Option(help="Silence for targets with less presence (0 to 1) than this: --silence-if-absent 0.5"),
    ] = None,
    adapters: Adapters = None,
    select: Select = None,
    subtype: Annotated[
        str | None, typer.Option(help="Sample format, such as PCM_16 or FLOAT.  [default: the input's]")
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(help="Over full scale: limit samples, scale all outputs, or error.  [default: limit]"),
    ] = None,
    highband: Annotated[
        str | None,
        typer.Option(
            help="Above the model's band: into residual, target, or drop.  [default: residual; target for --not alone]"
        ),
    ] = None,
    stereo: Stereo = None,
    base_checkpoint: Base = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    backend: Backend = None,
    precision: Precision = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Separate the sounds that sentences describe out of recordings.

    Example: dplass separate mix.wav --query "a dog barking" --output out
    """
    with verb(json, verbose) as run:
        from dplass_cli.errors import InputError
        from dplass_cli.pipelines.separate import SeparateOptions, separate

        with piped(inputs or [], output, json) as (files, folder):
            more = {"inputs": files, "output": folder}
            options = options_of(SeparateOptions, context, {"list_file": "list"}, more)
            if output == PIPE and (options.residual or len(options.query) + len(options.like) > 1):
                raise InputError(ONE_TARGET)  # before the work
            result = separate(options, run.progress)
            if output == PIPE:
                send(result)
        for note in result.unlearnt.values():
            run.note(f"note: {note}")
        if output == PIPE:
            return
        rows = [[str(s.path), s.query, _adapter(s.adapter), _presence(s)] for w in result.written.values() for s in w]
        run.result(result, lambda: plain_table("", ["written", "query", "adapter", "presence"], rows))
        for target in (target for written in result.written.values() for target in written):
            if target.clipped:
                run.note(f"{target.path}: {target.clipped} samples limited to full scale; --subtype FLOAT keeps them")
            if target.gain_db:
                run.note(f"{target.path}: turned down by {-target.gain_db:.2f} dB to stay below full scale")
        run.some_failed(f"{path} failed: {reason}" for path, reason in result.failed.items())


def _adapter(served: Any) -> str:
    """What served a query, in a word."""
    return "base" if served is None else served if isinstance(served, str) else "blend"


def _presence(target: Separated) -> str:
    """The score of presence; ~ where it is not calibrated."""
    if target.presence is None:
        return ""
    score = f"{'' if target.presence.calibrated else '~'}{target.presence.score:.2f}"
    return f"{score} (silenced)" if target.silenced else score


@contextlib.contextmanager
def piped(inputs: list[Path], output: Path | None, json: bool) -> Iterator[tuple[list[Path], Path | None]]:
    """Put files in the places of ``-``: a wav of standard input, and a folder for what standard output gets."""
    from dplass_cli.errors import InputError

    if output == PIPE and (json or len(inputs) != 1):
        raise InputError("--output - writes one target of one recording, and no --json; name a folder for more")
    if PIPE not in inputs and output != PIPE:
        yield inputs, output
        return
    with tempfile.TemporaryDirectory() as name:
        if PIPE in inputs:
            with open(Path(name) / "stdin.wav", "wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        files = [Path(name) / "stdin.wav" if path == PIPE else path for path in inputs]
        yield files, Path(name) / "out" if output == PIPE else output


def send(result: SeparateResult) -> None:
    """Write the one target to standard output."""
    from dplass_cli.errors import InputError

    targets = [target for written in result.written.values() for target in written]
    if len(targets) != 1:
        raise InputError(ONE_TARGET)
    with open(targets[0].path, "rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
