"""The HTML page about a prepared manifest: class counts, and the clips that are not used with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from dplass_cli.data.prepare.prepare_result import AudioSummary, ClassCount, PrepareResult
from dplass_cli.evaluation.table import Figure
from dplass_cli.reports.page import Cell, Provenance, Section, picture, table, text, write_page
from dplass_cli.reports.plots import FONT, new_figure, png, shorten

_BARS = 40
_CHANGES = 500


def write_report(path: Path, result: PrepareResult, command: str) -> None:
    """Write the page, atomically; ``command`` is the one that prepared the manifest.

    Raises:
        InputError: the folder cannot be written.
    """
    lead = [
        f"{result.rows:,} rows from {result.used_clips:,} of {result.segments:,} clips, in {result.manifest}",
        *([f"{result.audio.hours:,.2f} hours of audio"] if result.audio else []),
    ]
    sections = [
        Section("Not used", _reasons(result)),
        Section("Classes", _classes(result.classes)),
        Section("Audio", _audio(result.audio)),
        Section("Captions corrected", _changes(result.cleaned)),
    ]
    title = f"Prepared: {result.manifest.name}"
    write_page(path, title, lead, sections, verdict(result), Provenance(command))


def verdict(result: PrepareResult) -> str:
    """What share of the clips is used, and what most of the others lack, in one sentence."""
    share = result.used_clips / max(1, result.segments)
    used = f"{result.used_clips:,} of {result.segments:,} clips ({share:.0%}) are used"
    if not result.rejected:
        return f"{used}."
    reason, count = max(result.rejected.items(), key=lambda item: item[1])
    return f"{used}; the most frequent reason not to use one is “{reason}” ({count:,})."


def _reasons(result: PrepareResult) -> list[Markup]:
    if not result.rejected:
        return [text("Every clip is used.")]
    rows: list[list[Cell]] = [
        [reason, count, Figure(100 * count / result.segments, ".2f")] for reason, count in result.rejected.items()
    ]
    return [text(f"Each is listed in {result.rejects}."), table(["reason", "clips", "% of all"], rows)]


def _classes(classes: Mapping[str, ClassCount]) -> list[Markup]:
    if not classes:
        return []
    shown = list(classes.items())[:_BARS]
    title = f"The {len(shown)} most frequent of {len(classes)} classes" if len(classes) > _BARS else ""
    rows: list[list[Cell]] = [
        [name, count.used, count.rejected, Figure(100 * count.rejected / max(1, count.used + count.rejected), ".1f")]
        for name, count in classes.items()
    ]
    return [
        picture(_histogram(dict(shown)), "Rows and rejected clips of each class", title, kind="detailed"),
        table(["class", "rows", "rejected", "% rejected"], rows, filtered=len(rows) > _BARS),
    ]


def _histogram(classes: Mapping[str, ClassCount]) -> bytes:
    """Plot the class counts as bars: PNG bytes."""
    figure, axes = new_figure(9, 1.2 + 0.24 * len(classes))
    places = range(len(classes))
    used = [count.used for count in classes.values()]
    axes.barh(places, used, color="tab:blue", label="rows")
    axes.barh(places, [count.rejected for count in classes.values()], left=used, color="tab:orange", label="rejected")
    for label in axes.set_yticks(places, [shorten(name, 48) for name in classes], fontsize=FONT["labels"]):
        label.label1.set_parse_math(False)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.grid(axis="x", alpha=0.25)
    figure.legend(loc="outside upper center", ncols=2, fontsize=FONT["legend"], frameon=False)
    return png(figure)


def _audio(audio: AudioSummary | None) -> list[Markup]:
    if audio is None:
        return []
    rates: list[list[Cell]] = [[Figure(rate, ",d"), count] for rate, count in audio.sample_rates.items()]
    channels: list[list[Cell]] = [[number, count] for number, count in audio.channels.items()]
    return [table(["sample rate (Hz)", "clips"], rates), table(["channels", "clips"], channels)]


def _changes(changes: Mapping[str, int]) -> list[Markup]:
    if not changes:
        return []
    note = [text(f"The {_CHANGES} most frequent of {len(changes):,}.", "soft")] if len(changes) > _CHANGES else []
    rows: list[list[Cell]] = [[change, count] for change, count in list(changes.items())[:_CHANGES]]
    return [*note, table(["before -> after", "rows"], rows, filtered=True)]
