"""From a table of clips to a manifest: check, balance, convert, clean, write, and list what is not used."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pandas as pd

from dplass_cli.audio.source import Note
from dplass_cli.data.captions import ClipCaption
from dplass_cli.data.csv_tables import collector_paused
from dplass_cli.data.manifest import WEIGHT, manifest_item, write_items
from dplass_cli.data.prepare.checking import TOLERANCE, Finding, check_clips
from dplass_cli.data.prepare.cleaning import CaptionCleaner, read_corrections
from dplass_cli.data.prepare.clip_table import MISSING
from dplass_cli.data.prepare.converting import SourceRange, convert_clips
from dplass_cli.data.prepare.corpora import Corpus
from dplass_cli.data.prepare.finding_records import FindingRecords
from dplass_cli.data.prepare.prepare_result import AudioSummary, ClassCount, PrepareResult, PuritySummary
from dplass_cli.errors import InputError, some
from dplass_cli.file_names import is_text
from dplass_cli.options.prepare_options import ClipSelection
from dplass_cli.records import write_frames
from dplass_cli.storage import Progress, make_folder, no_progress, resolved

_log = logging.getLogger(__name__)

_NOTES: dict[Note, str] = {
    "truncated": "end before their headers say, and are used up to there",
    "unfinished": "have a header that was never finished, and are used up to their end",
}

OVER = "over --max-per-class"
IMPURE = "low purity"
_REPORTED = 1 << 14  # rows between two reports of progress
_PART = 1 << 16  # rejected clips that are written at once


Purities = Callable[[Sequence[SourceRange], Sequence[Sequence[str]], Progress], Sequence["float | None"]]
"""(clips, their captions, progress) -> the purity of each, 0 to 1; None for a clip that cannot be read."""


def require_output(output: Path, *others: Path | None) -> None:
    """Make the manifest's folder, before hours of work that could not be written.

    Args:
        output: the file to write.
        others: files that are read, or written too.

    Raises:
        InputError: the folder cannot be made, or ``output`` is a folder or one of the ``others``.
    """
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give the name of a file to write")
    if any(resolved(output) == resolved(other) for other in others if other is not None):
        raise InputError(f"--output {output}: would overwrite a file of another option; give another name")
    make_folder(output.parent)


@collector_paused()
def prepare(
    clips: pd.DataFrame,
    corpus: Corpus,
    output: Path,
    selection: ClipSelection,
    places: Sequence[Path],
    file_name: Callable[[str], str] = str,
    progress: Progress = no_progress,
    purities: Purities | None = None,
    share: tuple[int, int] = (0, 1),
) -> PrepareResult:
    """Write the manifest of the usable clips, in their order, and a list of the others with the reasons.

    The list is written next to the manifest, ``output``.

    Args:
        clips: a table as :mod:`~dplass_cli.data.prepare.clip_table` describes it. Faults are added to it.
        corpus: their corpus.
        output: the manifest.
        selection: how clips are checked and chosen.
        places: the folders or the list that were searched, for error messages.
        file_name: the file name that was looked for, by clip id, for error messages.
        progress: called as work goes on.
        purities: scores clips for ``min_purity``; None: they are not scored.
        share: this process's (rank, number of processes). One of several only checks and converts its clips, and keeps
            what it finds next to the manifest, in ``NAME-checks``; the process that writes the manifest finds it there.

    Raises:
        InputError: too many clips are missing, or none is usable.
        RunError: the disk is full.
    """
    clips["lost"] = None  # captions that do not become rows
    ranged = not corpus.video
    searched = f"{some(places)}; also {corpus.names_tried}"
    _reject_undecodable_captions(clips)
    _require_present(clips, selection.max_missing, file_name, searched, corpus.hint)
    if share[1] > 1:
        return _prepare_share(clips, ranged, corpus, output, selection, share, progress)
    audio = None if selection.check == "none" else _check(clips, ranged, selection, output, share, progress)
    _require_present(clips, selection.max_missing, file_name, searched, corpus.hint)  # listed files may be gone
    purity = None if purities is None else _score(clips, ranged, selection, purities, progress)
    if selection.max_per_class is not None:
        _balance(clips, selection.max_per_class)
    converted = {} if selection.convert is None else _convert(clips, ranged, selection, output, progress)
    _require_usable(clips, corpus.hint)
    cleaner = CaptionCleaner(read_corrections(selection.corrections)) if selection.clean else None
    rows = write_items(output, _items(clips, ranged, cleaner, selection.purity.weight, progress))
    rejects = _rejects(output, corpus)
    unused = clips["fault"].notna()
    clips.loc[unused, "lost"] = clips.loc[unused, "texts"]
    write_frames(rejects, _reject_lists(clips, corpus.id_heading))
    return PrepareResult(
        manifest=output,
        rejects=rejects,
        segments=len(clips),
        used_clips=int((~unused).sum()),
        rows=rows,
        rejected=_counts(_reasons(clips[clips["lost"].notna()])),
        classes=_class_counts(clips.loc[~unused, "texts"], clips["lost"].dropna()),
        audio=audio,
        cleaned={} if cleaner is None else {f"{a} -> {b}": count for (a, b), count in cleaner.changes.most_common()},
        converted=converted,
        report=selection.report,
        purity=purity,
    )


def _prepare_share(
    clips: pd.DataFrame,
    ranged: bool,
    corpus: Corpus,
    output: Path,
    selection: ClipSelection,
    share: tuple[int, int],
    progress: Progress,
) -> PrepareResult:
    """Check and convert every n-th usable clip."""
    rank, world = share
    own = clips[clips["fault"].isna()].iloc[rank::world].copy()
    audio = None if selection.check == "none" else _check(own, ranged, selection, output, share, progress)
    converted = {} if selection.convert is None else _convert(own, ranged, selection, output, progress)
    return PrepareResult(
        manifest=output,
        rejects=_rejects(output, corpus),
        segments=len(own),
        used_clips=int(own["fault"].isna().sum()),
        rows=0,
        rejected=_counts(own["fault"].dropna()),
        classes={},
        audio=audio,
        converted=converted,
        complete=False,
    )


def _rejects(output: Path, corpus: Corpus) -> Path:
    return output.with_name(corpus.rejects.format(manifest=output.stem))


def _reject_undecodable_captions(clips: pd.DataFrame) -> None:
    """Reject captions that are names of folders in another encoding than UTF-8: a query must be text."""
    undecodable = clips["texts"].map(lambda texts: not all(is_text(text.caption) for text in texts or ())).astype(bool)
    clips.loc[clips["fault"].isna() & undecodable, "fault"] = "caption not UTF-8"


def _require_present(
    clips: pd.DataFrame, max_missing: float, file_name: Callable[[str], str], searched: str, hint: str
) -> None:
    """Stop where so many clips are missing that the folder must be wrong."""
    missing = clips.loc[clips["fault"] == MISSING, "id"]
    if len(missing) > max_missing * len(clips):
        raise InputError(
            f"{len(missing)} of {len(clips)} clips are missing (looked for {some(map(file_name, missing), 3)} in"
            f" {searched}); {hint}, or allow more with --max-missing"
        )


def _require_usable(clips: pd.DataFrame, hint: str) -> None:
    if clips["fault"].notna().all():
        reasons = _counts(clips["fault"])
        hint = "try --captions each or joined" if "several labels" in reasons else hint
        found = some(f"{reason}: {count}" for reason, count in reasons.items())
        raise InputError(f"no usable clip among {len(clips)} clips ({found}); {hint}")


def _check(
    clips: pd.DataFrame,
    ranged: bool,
    selection: ClipSelection,
    output: Path,
    share: tuple[int, int],
    progress: Progress,
) -> AudioSummary:
    """Add the faults found in the files of clips without a fault; summarise the headers of the good ones."""
    usable = clips.index[clips["fault"].isna()]
    findings = []
    kept = output.with_name(f"{output.stem}-checks")
    with contextlib.ExitStack() as stack:
        records = None
        if share[1] > 1 or kept.is_dir():  # one process alone is faster without
            records = stack.enter_context(FindingRecords(kept, selection.check, selection.limits, share))
        for finding in check_clips(_sources(clips.loc[usable], ranged), selection.check, selection.limits, records):
            findings.append(finding)
            if len(findings) % 256 == 0 or len(findings) == len(usable):
                progress(len(findings), len(usable), "checking clips")
    found = pd.DataFrame(findings, index=usable, columns=Finding._fields)
    listed = clips.loc[usable, "end"] - clips.loc[usable, "start"]  # NaN where the corpus has no times
    incomplete = (found["note"] == "truncated") & (found["seconds"] < listed - TOLERANCE) & found["fault"].isna()
    found.loc[incomplete, "fault"] = "truncated"
    clips.loc[usable, "fault"] = found["fault"].to_numpy(dtype=object)
    good = found[found["fault"].isna()]
    for note, says in _NOTES.items():
        noted = clips.loc[good.index[good["note"] == note], "path"].tolist()
        if noted:
            _log.warning("%d clips %s: %s", len(noted), says, some(noted))
    return AudioSummary(
        round(float(good["seconds"].sum()) / 3600, 4), _counts(good["sample_rate"]), _counts(good["channels"])
    )


def _score(
    clips: pd.DataFrame, ranged: bool, selection: ClipSelection, purities: Purities, progress: Progress
) -> PuritySummary:
    """Set ``purity`` of the clips without a fault, and reject those below ``min_purity``."""
    usable = clips.index[clips["fault"].isna()]
    captions = [[text.caption for text in texts] for texts in clips.loc[usable, "texts"]]
    scores = purities(list(_sources(clips.loc[usable], ranged)), captions, progress)
    scored = pd.Series(scores, index=usable, dtype="float64")
    clips["purity"] = scored
    clips.loc[usable[scored.isna()], "fault"] = "unreadable"
    below = usable[scored < (selection.min_purity or 0.0)]
    clips.loc[below, "fault"] = IMPURE
    return PuritySummary(int(scored.notna().sum()), round(float(scored.mean()), 4) if len(scored) else 0.0, len(below))


def _balance(clips: pd.DataFrame, limit: int) -> None:
    """Keep at most ``limit`` rows per class: captions whose rarest class is rarest come first, then in order."""
    usable = clips.loc[clips["fault"].isna(), "texts"]
    captions = usable.explode()
    names = [_names(text) for text in captions]
    total = Counter(chain.from_iterable(names))
    rarest = pd.Series([min(total[name] for name in among) for among in names]).sort_values(kind="stable").index
    kept: Counter[str] = Counter()
    lost: dict[int, list[ClipCaption]] = {}
    for place in rarest:
        if all(kept[name] < limit for name in names[place]):
            kept.update(names[place])
        else:
            lost.setdefault(captions.index[place], []).append(captions.iloc[place])
    for at, gone in lost.items():
        left = tuple(text for text in usable[at] if text not in gone)
        if left:
            clips.at[at, "texts"], clips.at[at, "lost"] = left, tuple(gone)
        else:
            clips.at[at, "fault"] = OVER


def _names(text: ClipCaption) -> tuple[str, ...]:
    return text.classes or (text.caption,)


def _convert(
    clips: pd.DataFrame, ranged: bool, selection: ClipSelection, output: Path, progress: Progress
) -> dict[str, int]:
    """Copy the usable clips, set ``copy`` to the path of each, and count the copies."""
    assert selection.convert is not None
    folder = selection.convert_dir or output.parent / f"{output.stem}-{selection.convert}"
    usable = clips.index[clips["fault"].isna()]
    copies = convert_clips(list(_sources(clips.loc[usable], ranged)), folder, selection.convert, progress)
    paths = pd.Series([copy.path for copy in copies], index=usable, dtype=object)
    clips["copy"] = paths
    clips.loc[usable[paths.isna()], "fault"] = "not convertible"
    made = [copy.made for copy in copies]
    return {
        "made": sum(made),
        "found": int(paths.notna().sum()) - sum(made),
        "turned_down": sum(copy.turned_down for copy in copies),
    }


def _sources(clips: pd.DataFrame, ranged: bool) -> Iterator[SourceRange]:
    """Yield what clips take of their files: all of it, or a range where files hold more than the clip."""
    if not ranged:
        return map(SourceRange, clips["path"])
    ends = (None if end != end else end for end in clips["end"].tolist())
    return map(SourceRange, clips["path"], clips["start"].tolist(), ends)


def _items(
    clips: pd.DataFrame, ranged: bool, cleaner: CaptionCleaner | None, weighted: bool, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Yield the manifest's items, with the purity of clips that were scored."""
    used = clips[clips["fault"].isna()]
    if "copy" in used:  # a copy contains the range only
        sources: Iterator[SourceRange] = map(SourceRange, used["copy"])
    else:
        sources = _sources(used, ranged)
    purities = used["purity"] if "purity" in used else repeat(None, len(used))
    for done, (id, texts, source, purity) in enumerate(zip(used["id"], used["texts"], sources, purities, strict=True)):
        if done % _REPORTED == 0:
            progress(done, len(used), "writing the manifest")
        for text in texts:
            caption = text.caption if cleaner is None else cleaner(text.caption)
            item = manifest_item(source.path, caption, text.labels, id, source.start, source.end)
            if purity is not None:
                item |= {"purity": purity, WEIGHT: purity} if weighted else {"purity": purity}
            yield item
    progress(len(used), len(used), "writing the manifest")


def _reject_lists(clips: pd.DataFrame, id_heading: str) -> Iterator[pd.DataFrame]:
    """Yield the rows about clips that lost captions, in parts, since most of millions of clips may be rejected."""
    rejected = clips.index[clips["lost"].notna()]
    for first in range(0, max(len(rejected), 1), _PART):
        part = clips.loc[rejected[first : first + _PART]]
        labels = [dict.fromkeys(label for text in lost for label in text.labels) for lost in part["lost"]]
        yield pd.DataFrame(
            {
                id_heading: part["id"],
                "start": part["start"],
                "end": part["end"],
                "reason": _reasons(part),
                "path": [path or "" for path in part["path"]],
                "labels": list(map(",".join, labels)),
            }
        )


def _reasons(rejected: pd.DataFrame) -> pd.Series[Any]:
    return rejected["fault"].where(rejected["fault"].notna(), OVER)


def _class_counts(used: pd.Series[Any], rejected: pd.Series[Any]) -> dict[str, ClassCount]:
    """Count classes in the captions of used clips, and in the captions that were lost (each class once per clip)."""
    rows = Counter(name for texts in used for text in texts for name in text.classes)
    lost = Counter(name for texts in rejected for name in {name for text in texts for name in text.classes})
    names = sorted({*rows, *lost}, key=lambda name: (-rows[name], name))
    return {name: ClassCount(rows[name], lost[name]) for name in names}


def _counts(values: pd.Series[Any]) -> dict[Any, int]:
    """Count values, the most frequent first, then in the order of their first occurrence."""
    return dict(Counter(values.tolist()).most_common())
