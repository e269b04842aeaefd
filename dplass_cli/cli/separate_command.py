"""``dplass separate``: recordings and sentences in, targets out."""

from __future__ import annotations

import contextlib
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dplass_cli.cli import sounds_command
from dplass_cli.cli.console import VerbRun
from dplass_cli.errors import DplassError, InputError, RunError
from dplass_cli.options.separate_options import SeparateOptions

if TYPE_CHECKING:
    from dplass_cli.pipelines.separate import SeparateResult
    from dplass_cli.separation.output import Separated

PIPE = Path("-")
_SUFFIX_ALIASES = {".wav": (".wav", ".wave", ".wavex", ".rf64", ".bwf", ".bw64"), ".ogg": (".ogg", ".oga", ".opus")}
ONE_TARGET = "--output - writes one target; give one --query and no --residual, or name a folder"


interrupted = "targets of finished recordings are complete, others were not written; run again with --skip-existing"
instead = {"list_sounds": sounds_command.command}


def command(options: SeparateOptions, run: VerbRun) -> None:
    """Separate the sounds that sentences describe from recordings.

    Example: dplass separate mix.wav --query "a dog barking" --output out
    """
    from dplass_cli.pipelines.separate import separate

    to_pipe = options.output == PIPE
    if to_pipe and (run.json or len(options.inputs) != 1):
        raise InputError("--output - writes one target of one recording, and no --json; name a folder for more")
    if to_pipe and (options.residual or len(options.query) + len(options.like) > 1):
        raise InputError(ONE_TARGET)
    with _files_for_pipes(options) as of_files:
        result = separate(of_files, run.progress, run.note)
        if to_pipe:
            _write_to_pipe(result)
    for note in result.out_of_vocabulary.values():
        run.note(f"note: {note}")
    if to_pipe:
        return
    _note_suffixes(options, result, run)
    written = [target for targets in result.written.values() for target in targets]
    rows = [[target.path, target.query, _adapter(target.adapter), _presence(target)] for target in written]
    run.table(result, ["written", "query", "adapter", "presence"], rows)
    for path, targets in result.written.items():
        if not targets:
            run.note(f"{path}: skipped, its targets exist")
    for target in written:
        if target.clipped:
            run.note(f"{target.path}: {target.clipped} samples limited to full scale; --subtype FLOAT keeps them")
        if target.gain_db:
            run.note(f"{target.path}: turned down by {-target.gain_db:.2f} dB to stay below full scale")
    run.recordings_failed(result.failed)


def _note_suffixes(options: SeparateOptions, result: SeparateResult, run: VerbRun) -> None:
    """Say which recordings have targets in another format, one line per format."""
    formats = {
        (Path(path).suffix.lower(), targets[0].path.suffix) for path, targets in result.written.items() if targets
    }
    for recording, target in sorted(formats):
        chosen = options.format is not None or options.output.suffix.lower() == target
        if not chosen and recording not in _SUFFIX_ALIASES.get(target, (target,)):
            run.note(f"note: targets of {recording or 'such'} recordings are {target} files")


def _adapter(activation: Any) -> str:
    """The adapter of a target in one word."""
    return "base" if activation is None else activation if isinstance(activation, str) else "blend"


def _presence(target: Separated) -> str:
    """The presence score; ~ marks one that is not calibrated."""
    if target.presence is None:
        return ""
    score = f"{'' if target.presence.calibrated else '~'}{target.presence.score:.2f}"
    return f"{score} (silenced)" if target.silenced else score


@contextlib.contextmanager
def _files_for_pipes(options: SeparateOptions) -> Iterator[SeparateOptions]:
    """Replace pipes by files: inputs that can be read only once, and ``-`` for standard output by a folder.

    Errors call the files what the user does.
    """
    pipes = [path for path in options.inputs if _is_pipe(path)]
    if not pipes and options.output != PIPE:
        yield options
        return
    with tempfile.TemporaryDirectory() as name:
        copies = {
            path: Path(name) / str(number) / f"{'stdin' if path == PIPE else path.name}.wav"
            for number, path in enumerate(pipes)
        }
        for path, copy in copies.items():
            copy.parent.mkdir()
            with open(copy, "wb") as file, _opened(path) as stream:
                shutil.copyfileobj(stream, file)
        inputs = tuple(copies.get(path, path) for path in options.inputs)
        output = Path(name) / "out" if options.output == PIPE else options.output
        try:
            yield replace(options, inputs=inputs, output=output)
        except DplassError as error:
            message = str(error)
            for path, copy in copies.items():
                message = message.replace(str(copy), "standard input" if path == PIPE else str(path))
            raise (InputError if isinstance(error, InputError) else RunError)(message) from error


def _is_pipe(path: Path) -> bool:
    """Whether an input can be read only once: standard input, a named pipe, or the shell's ``<(…)``."""
    try:
        return path == PIPE or stat.S_ISFIFO(path.stat().st_mode)
    except OSError:  # reading it gives the better message
        return False


def _opened(path: Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    return contextlib.nullcontext(sys.stdin.buffer) if path == PIPE else open(path, "rb")


def _write_to_pipe(result: SeparateResult) -> None:
    targets = [target for written in result.written.values() for target in written]
    if len(targets) != 1:
        raise InputError(ONE_TARGET)
    with open(targets[0].path, "rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
