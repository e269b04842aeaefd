"""``dplass tag``: which sounds recordings contain, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dplass_cli.cli.console import VerbRun, plain_table
from dplass_cli.options.tag_options import TagOptions

if TYPE_CHECKING:
    from dplass_cli.pipelines.tag import TagResult
    from dplass_cli.tagging.tagger import Tag

_MOST_SPANS = 6  # shown of a sound


def command(options: TagOptions, run: VerbRun) -> None:
    """Say which sounds recordings contain, and when, by the encoder's embeddings of overlapping windows.

    Example: dplass tag mix.wav --labels scenes --output tags --picture
    """
    if options.fit is not None:
        return _fit(options, run)
    from dplass_cli.pipelines.tag import tag

    result = tag(options, run.progress)
    run.result(result, lambda: _tables(result))
    if result.unknown:
        shown = "; ".join(list(result.unknown.values())[:2])
        run.note(f"note: labels that the encoder does not know were left out ({len(result.unknown)}): {shown}")
    if not result.calibrated:
        run.note("note: scores marked ~ are cosines and no probabilities; choose --threshold by your own recordings")
    for path, found in result.tags.items():
        if not found.sounds:
            run.note(f"{path}: no sound reaches --threshold {options.threshold:g}")
    for written in result.files.values():
        run.note("written: " + ", ".join(written))
    run.recordings_failed(result.failed)


def _fit(options: TagOptions, run: VerbRun) -> None:
    """Fit a head, and show what it reaches."""
    from dplass_cli.pipelines.fit_head import fit_head

    def tables() -> Any:
        from rich.console import Group

        from dplass_cli.reports.head_report import head_tables

        return Group(*(table.rich() for table in head_tables(result.figures, result.key)))

    result = fit_head(options, run.progress)
    run.result(result, tables)
    run.note(f"written: {result.head}, and report.html, results.md and results.json next to it")
    run.some_failed(result.failed.values())


def _tables(result: TagResult) -> Any:
    from rich.console import Group

    return Group(
        *(
            plain_table(
                ["sound", "seconds", "score"],
                [[tag.sound, _times(tag), f"{'' if tag.calibrated else '~'}{tag.score:.2f}"] for tag in found.sounds],
                f"{path} ({found.seconds:.1f} s)",
                left=2,
            )
            for path, found in result.tags.items()
            if found.sounds
        )
    )


def _times(tag: Tag) -> str:
    shown = [f"{span.start:.1f}-{span.end:.1f}" for span in tag.spans[:_MOST_SPANS]]
    more = len(tag.spans) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
