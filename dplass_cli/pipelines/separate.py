"""``separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.output import Separated
from dplass_cli.separation.recordings import requested_recordings, sentences_of, separate_recordings
from dplass_cli.separation.separator import Separator
from dplass_cli.storage import Progress, no_progress


@dataclass(frozen=True)
class SeparateResult:
    """Result of :func:`separate`.

    Attributes:
        written: {path of a recording: what was written}.
        failed: {path of a recording: why it failed}.
        out_of_vocabulary: {sentence: a note that the encoder does not know what it names}.
        unlearnt: the same; the key that version 0.1 wrote to ``--json``.
    """

    written: dict[str, list[Separated]]
    failed: dict[str, str]
    out_of_vocabulary: dict[str, str]
    unlearnt: dict[str, str]


def separate(options: SeparateOptions, progress: Progress = no_progress) -> SeparateResult:
    """Separate every recording by its queries. One that fails does not stop the others.

    Raises:
        InputError: wrong options or models, or no recording could be separated.
        RunError: no recording could be separated.
    """
    recordings = requested_recordings(options)
    separator = Separator.from_spec(options.model, options.select, options.stereo, options.refine)
    written, failed = separate_recordings(separator, recordings, options, progress)
    notes = {sentence: separator.encoder.out_of_vocabulary(sentence) for sentence in sentences_of(recordings)}
    unknown = {sentence: note for sentence, note in notes.items() if note is not None}
    return SeparateResult(written, failed, unknown, unknown)
