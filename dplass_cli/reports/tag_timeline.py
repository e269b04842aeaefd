"""The timeline of a tagged recording: a row per sound, a bar per time at which it is there."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.reports.plots import FONT, new_figure, png, shorten
from dplass_cli.storage import write_bytes
from dplass_cli.tagging.tagger import RecordingTags

_COLOUR = "#1f6feb"
_FAINTEST = 0.25  # opacity of a bar with score 0


def write_timeline(path: Path, tags: RecordingTags, title: str) -> None:
    """Write the picture as PNG, atomically; the darker a bar, the higher its score.

    Raises:
        InputError: the folder cannot be written.
    """
    write_bytes(path, timeline(tags, title))


def timeline(tags: RecordingTags, title: str) -> bytes:
    """Draw the timeline of a recording: PNG bytes."""
    figure, axes = new_figure(9, 1.1 + 0.3 * max(1, len(tags.sounds)))
    for row, tag in enumerate(tags.sounds):
        for span in tag.spans:
            opacity = _FAINTEST + (1.0 - _FAINTEST) * span.score
            axes.broken_barh([(span.start, span.end - span.start)], (row - 0.35, 0.7), color=_COLOUR, alpha=opacity)
    labels = [f"{shorten(tag.sound, 32)}  {tag.score:.2f}" for tag in tags.sounds]
    axes.set_yticks(range(len(labels)), labels, fontsize=FONT["labels"], parse_math=False)
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)  # the most probable at the top
    axes.set_xlim(0.0, tags.seconds)
    axes.set_xlabel("seconds" if tags.sounds else "seconds; no sound was found")
    title = title.encode(errors="replace").decode()  # of a file whose name is not UTF-8
    axes.set_title(shorten(title, 80), fontsize=FONT["legend"], loc="left", parse_math=False)
    return png(figure)
