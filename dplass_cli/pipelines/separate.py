"""``separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.separation.engine import Separator
from dplass_cli.separation.files import Separated
from dplass_cli.storage import Progress, no_progress


@dataclass(frozen=True)
class SeparateOptions:
    """Options of ``separate``.

    Attributes:
        inputs: audio files.
        query: sentences, one target each.
        output: folder of the targets.
        residual: also write the input less all targets.
        select: selection policy; default ``text`` with adapters, ``base`` without.
        subtype: sample format to write; default the input's.
        base_checkpoint, encoder, adapters, tokenizer, trust_checkpoint, device: the models and where they run.
    """

    inputs: tuple[Path, ...]
    query: tuple[str, ...]
    output: Path
    residual: bool = False
    select: str | None = None
    subtype: str | None = None
    base_checkpoint: str = "tiny"
    encoder: str | None = None
    adapters: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"


@dataclass(frozen=True)
class SeparateResult:
    """What was written, and the inputs that failed, as {input: reason}."""

    written: dict[str, list[Separated]]
    failed: dict[str, str]


def separate(options: SeparateOptions, progress: Progress = no_progress) -> SeparateResult:
    """Separate every input by every query. An input that fails does not stop the others.

    Raises:
        InputError: wrong options or models, or no input could be read.
    """
    separator = Separator.from_pretrained(
        options.base_checkpoint,
        options.encoder,
        options.adapters,
        options.select,
        options.device,
        options.tokenizer,
        options.trust_checkpoint,
    )
    separator.check(options.query)  # a wrong query or policy is every input's error
    written: dict[str, list[Separated]] = {}
    failed: dict[str, str] = {}
    for done, path in enumerate(options.inputs):
        progress(done, len(options.inputs), path.name)
        try:
            written[str(path)] = separator.separate_file(
                path, options.query, options.output, options.residual, options.subtype
            )
        except InputError as error:
            failed[str(path)] = str(error)
    progress(len(options.inputs), len(options.inputs), "done")
    if not written:
        raise InputError(next(iter(failed.values()), "no input is given"))
    return SeparateResult(written, failed)
