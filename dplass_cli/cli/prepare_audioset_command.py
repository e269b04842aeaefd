"""``dplass prepare-audioset``: AudioSet's lists and a folder of clips to a training manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dplass_cli.cli.console import VerbRun, plain_table
from dplass_cli.options.prepare_audioset_options import PrepareAudiosetOptions

if TYPE_CHECKING:
    from dplass_cli.data.prepare.prepare_result import PrepareResult

_SHOWN = 15  # classes and changed captions in the tables; all are in --json and in the report


def command(options: PrepareAudiosetOptions, run: VerbRun) -> None:
    """Build the training manifest from AudioSet's lists; rejects.csv lists the clips that are not used, and why.

    Example: dplass prepare-audioset --segments balanced_train_segments.csv --labels class_labels_indices.csv
    --audio-dir audio --output train.json
    """
    from dplass_cli.pipelines.prepare_audioset import prepare_audioset

    result = prepare_audioset(options, run.progress)
    run.result(result, lambda: tables(result))


def tables(result: PrepareResult) -> Any:
    """What was prepared: one line, and tables of reasons, classes and changed captions, where there are any."""
    from rich.console import Group

    title = f"{result.manifest}: {result.rows} rows from {result.used_clips} of {result.segments} clips"
    if not result.complete:
        title = (
            f"{result.manifest}: not written yet; {result.used_clips} of this share's {result.segments} clips are good"
        )
    if result.audio is not None:
        rates = ", ".join(f"{rate} Hz" for rate in list(result.audio.sample_rates)[:3])
        title += f", {result.audio.hours:.2f} h, {rates}"
    parts: list[Any] = [title]
    if result.rejected:
        reasons = [[reason, count] for reason, count in result.rejected.items()]
        parts.append(plain_table(["not used because", "clips"], reasons, str(result.rejects)))
    if result.classes:
        shown = list(result.classes.items())[:_SHOWN]
        rows: list[list[Any]] = [[name, count.used, count.rejected] for name, count in shown]
        if len(result.classes) > _SHOWN:
            rows.append([f"… {len(result.classes) - _SHOWN} more (--json, --report)", "", ""])
        parts.append(plain_table(["class", "rows", "rejected"], rows))
    if result.purity is not None:
        parts.append(
            f"purity: {result.purity.mean:.2f} on average of {result.purity.clips} clips, {result.purity.below} below"
            " --min-purity"
        )
    if result.cleaned:
        changed = [[change, count] for change, count in list(result.cleaned.items())[:_SHOWN]]
        parts.append(plain_table([f"caption changed ({len(result.cleaned)})", "rows"], changed))
    if result.converted:
        parts.append(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in result.converted.items()))
    return Group(*parts)
