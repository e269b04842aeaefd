"""``separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import DplassError
from dplass_cli.models.openvino import Backend
from dplass_cli.separation.engine import Separator, Stereo
from dplass_cli.separation.files import Clip, Highband, Separated
from dplass_cli.separation.inputs import find_recordings
from dplass_cli.storage import Progress, no_progress, read_text


@dataclass(frozen=True)
class SeparateOptions:
    """Options of ``separate``.

    Attributes:
        inputs: audio files, folders of them, or patterns.
        query: sentences, one target each. queries: a file of sentences, a line each.
        output: folder of the targets.
        list: a file of ``path<TAB>query<TAB>output name`` lines.
        residual: also write the input less all targets.
        select: selection policy; default ``text`` with adapters, ``base`` without.
        subtype, clip, highband: as :class:`~dplass_cli.separation.files.Output`.
        stereo: as :class:`~dplass_cli.separation.engine.Separator`.
        base_checkpoint, encoder, adapters, tokenizer, trust_checkpoint, device, backend: the models and
            where they run.
    """

    output: Path
    inputs: tuple[Path, ...] = ()
    query: tuple[str, ...] = ()
    queries: Path | None = None
    list: Path | None = None
    residual: bool = False
    select: str | None = None
    subtype: str | None = None
    clip: Clip = "limit"
    highband: Highband = "residual"
    stereo: Stereo = "shared"
    base_checkpoint: str = "tiny"
    encoder: str | None = None
    adapters: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"
    backend: Backend = "auto"


@dataclass(frozen=True)
class SeparateResult:
    """What was written, and the inputs that failed, as {input: reason}."""

    written: dict[str, list[Separated]]
    failed: dict[str, str]


def separate(options: SeparateOptions, progress: Progress = no_progress) -> SeparateResult:
    """Separate every recording by its queries. One that fails does not stop the others.

    Raises:
        InputError: wrong options or models, or no recording could be separated.
    """
    recordings = find_recordings(options.inputs, options.list, [*options.query, *_lines(options.queries)])
    separator = Separator.from_pretrained(
        options.base_checkpoint,
        options.encoder,
        options.adapters,
        options.select,
        options.device,
        options.tokenizer,
        options.trust_checkpoint,
        options.stereo,
        options.backend,
    )
    for queries in dict.fromkeys(recording.queries for recording in recordings):
        separator.check(queries)  # a wrong query or policy is told before anything is read
    inputs = {recording.path.resolve() for recording in recordings}
    written: dict[str, list[Separated]] = {}
    failed: dict[str, DplassError] = {}
    for number, recording in enumerate(recordings):
        which = f"{recording.path.name} ({number + 1} of {len(recordings)})"
        try:
            done = separator.separate_file(
                recording.path,
                recording.queries,
                (options.output / recording.name).parent,
                options.residual,
                options.subtype,
                options.clip,
                options.highband,
                Path(recording.name).name,
                inputs,
                lambda samples, total, _, which=which: progress(samples, total, which),  # type: ignore[misc]
            )
            written.setdefault(str(recording.path), []).extend(done)
        except DplassError as error:
            failed[str(recording.path)] = error
    if not written:
        raise next(iter(failed.values()))
    return SeparateResult(written, {path: str(error) for path, error in failed.items()})


def _lines(path: Path | None) -> list[str]:
    """The lines of a file of queries that are not blank."""
    return [] if path is None else [line.strip() for line in read_text(path).splitlines() if line.strip()]
