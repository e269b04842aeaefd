"""Label files for Audacity: one line per time at which a sound is there."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.storage import write_text
from dplass_cli.tagging.tagger import RecordingTags


def write_audacity_labels(path: Path, tags: RecordingTags) -> None:
    """Write ``start<TAB>end<TAB>sound and score`` lines in the order of their times, atomically.

    Audacity imports the file as a label track: File > Import > Labels.

    Raises:
        InputError: the folder cannot be written.
    """
    spans = sorted((span.start, span.end, tag.sound, span.score) for tag in tags.sounds for span in tag.spans)
    write_text(path, "".join(f"{start:.6f}\t{end:.6f}\t{sound} {score:.2f}\n" for start, end, sound, score in spans))
