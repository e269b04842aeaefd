"""``separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dplass_cli.errors import InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.output import Separated
from dplass_cli.separation.recordings import queries_of, requested_recordings, separate_recordings
from dplass_cli.separation.separator import Separator
from dplass_cli.separation.wishes import meanings
from dplass_cli.storage import Progress, no_progress
from dplass_cli.tagging.proposals import with_proposals
from dplass_cli.tagging.tagger import Tag


@dataclass(frozen=True)
class SeparateResult:
    """Result of :func:`separate`.

    Attributes:
        written: {path of a recording: what was written}; nothing where it was skipped.
        failed: {path of a recording: why it failed}.
        out_of_vocabulary: {sentence: a note that the encoder does not know what it names}, with ``force``.
        unlearnt: the same; the key that version 0.1 wrote to ``--json``.
        found: {path of a recording: the sounds that ``--query auto`` has found in it}.
    """

    written: dict[str, list[Separated]]
    failed: dict[str, str]
    out_of_vocabulary: dict[str, str]
    unlearnt: dict[str, str]
    found: dict[str, tuple[Tag, ...]]


def separate(
    options: SeparateOptions, progress: Progress = no_progress, note: Callable[[str], None] = lambda text: None
) -> SeparateResult:
    """Separate every recording by its queries. One that fails does not stop the others.

    ``note`` is called with a line for each sentence that was understood as a wish, before the work begins, and with one
    for each recording whose sounds were found.

    Raises:
        InputError: wrong options or models, a sentence that the encoder does not know without ``force``, no sound was
            found in any recording, or none could be separated.
        RunError: no recording could be separated.
    """
    recordings = requested_recordings(options)
    for meaning in meanings(queries_of(recordings)):
        note(meaning)
    separator = Separator.from_spec(options.model, options.select, options.stereo, options.refine, options.window)
    proposals = with_proposals(recordings, separator.encoder, options, progress)
    for path, tags in proposals.found.items():
        note(f"{path}: found " + ", ".join(f"{tag.sound} ({tag.score:.2f})" for tag in tags))
    queries = queries_of(proposals.recordings)
    sentences = dict.fromkeys(sentence for query in queries for sentence in query.sentences if sentence.strip())
    found = {sentence: separator.encoder.out_of_vocabulary(sentence) for sentence in sentences}
    unknown = {sentence: reason for sentence, reason in found.items() if reason is not None}
    if unknown and not options.force:
        raise InputError(
            f"{'; '.join(unknown.values())}; 'dplass sounds' lists what it knows, --force separates anyway"
        )
    written, failed = separate_recordings(separator, proposals.recordings, options, progress)
    return SeparateResult(written, {**proposals.failed, **failed}, unknown, unknown, proposals.found)
