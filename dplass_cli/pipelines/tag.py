"""``tag``: which sounds recordings contain, and when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.encoders import QueryEncoder, load_encoder_of
from dplass_cli.errors import DplassError, InputError, path_error
from dplass_cli.options.tag_options import TagOptions
from dplass_cli.separation.recordings import find_recordings
from dplass_cli.storage import Progress, no_progress
from dplass_cli.tagging.audacity_labels import write_audacity_labels
from dplass_cli.tagging.head import read_head
from dplass_cli.tagging.labels import SentenceLabels, named_labels
from dplass_cli.tagging.tagger import WINDOW_SECONDS, Labels, RecordingTags, Tagger


@dataclass(frozen=True)
class TagResult:
    """Result of :func:`tag`.

    Attributes:
        encoder: the kind of encoder.
        calibrated: scores are probabilities.
        labels: number of sounds that were looked for.
        tags: {path of a recording: what it contains}.
        files: {path of a recording: the files that were written}.
        unknown: {label: a note that the encoder does not know it, so that it was not looked for}.
        failed: {path of a recording: why it failed}.
    """

    encoder: str
    calibrated: bool
    labels: int
    tags: dict[str, RecordingTags]
    files: dict[str, list[str]]
    unknown: dict[str, str]
    failed: dict[str, str]


_LABEL = re.compile(rb"[\d.]+\t[\d.]+\t.*")


def tag(options: TagOptions, progress: Progress = no_progress) -> TagResult:
    """Tag every recording. One that fails does not stop the others.

    Raises:
        InputError: wrong options, labels or encoder, or no recording could be tagged.
    """
    if not options.recordings:
        raise InputError("no recording is given; name recordings or folders, or --fit MANIFEST")
    if options.picture and options.output is None:
        raise InputError("--picture: is written to --output; name a folder")
    recordings = find_recordings(options.recordings, None, (), options.output)
    encoder = load_encoder_of(options.model)
    labels, unknown, window_seconds = _labels(options, encoder)
    tagger = Tagger(encoder, labels, options.threshold, options.window or window_seconds, options.top)
    tags: dict[str, RecordingTags] = {}
    files: dict[str, list[str]] = {}
    failed: dict[str, DplassError] = {}
    for recording in recordings:
        name = str(recording.path)
        place = None if options.output is None else options.output / recording.name
        path = place and place.with_name(f"{place.name}.txt")
        try:
            if path is not None:
                _check_replaceable(path, options.picture)
            tags[name] = tagger(recording.path, options.track - 1, progress)
        except DplassError as error:
            failed[name] = error
            continue
        except OSError as error:
            failed[name] = path_error(error)
            continue
        if path is not None:
            write_audacity_labels(path, tags[name])
            files[name] = [str(path)]
            if options.picture:
                from dplass_cli.reports.tag_timeline import write_timeline

                write_timeline(path := path.with_suffix(".png"), tags[name], recording.path.name)
                files[name].append(str(path))
    if not tags:
        raise next(iter(failed.values()))
    reasons = {name: str(error) for name, error in failed.items()}
    return TagResult(encoder.name, labels.calibrated, len(labels.names), tags, files, unknown, reasons)


def _check_replaceable(labels: Path, picture: bool) -> None:
    """Refuse to replace what an earlier run has not written: a text that is not labels, or a picture without them."""
    if labels.is_file():
        lines = labels.read_bytes().splitlines()
        if not all(_LABEL.fullmatch(line) for line in lines):
            raise InputError(f"{labels}: is not a file of labels; move it away, or give another --output")
    elif picture and labels.with_suffix(".png").exists():
        raise InputError(f"{labels.with_suffix('.png')}: exists; move it away, or give another --output")


def _labels(options: TagOptions, encoder: QueryEncoder) -> tuple[Labels, dict[str, str], float]:
    """The labels, those that the encoder does not know, and the length of their windows in seconds."""
    if options.head is not None:
        if options.labels is not None:
            raise InputError("--head: has labels of its own; leave out --labels")
        head = read_head(options.head, encoder)
        return head, {}, head.config.window_seconds
    source = "--encoder" if options.labels is None else f"--labels {options.labels}"
    labels = SentenceLabels(named_labels(options.labels, encoder), encoder, source)
    return labels, labels.unknown, WINDOW_SECONDS
