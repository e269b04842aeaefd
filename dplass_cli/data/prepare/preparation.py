"""From candidate clips to a manifest: check, balance, clean, convert, write, and account for what was not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, get_args

from dplass_cli.audio.ffmpeg import is_available
from dplass_cli.data.captions import ClipCaption
from dplass_cli.data.manifest import manifest_item, write_items
from dplass_cli.data.prepare.checking import Check, ClipLimits, check_clips
from dplass_cli.data.prepare.cleaning import CaptionCleaner, read_corrections
from dplass_cli.data.prepare.converting import SourceRange, check_form, convert_clips
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.records import write_rows
from dplass_cli.storage import Progress, make_folder, no_progress

REJECT_COLUMNS = ("start", "end", "reason", "path", "labels")
REJECTS = "-rejects.csv"  # after the name of the manifest
OVER = "over --max-per-class"
_TOLD = 1 << 14  # rows between two reports of progress


@dataclass(frozen=True)
class Selection:
    """How candidates are checked and chosen.

    Attributes:
        check: how much of each clip is tested: nothing, its header, or every sample.
        limits: what a clip must have.
        max_missing: the share of clips without a file above which preparing stops.
        max_per_class: at most so many rows a class; clips of rare classes are taken first.
        clean: correct captions; the files read are never changed.
        corrections: a table of corrections in place of the shipped one.
        convert: keep a copy of each clip that is cheap to read, such as ``32k-mono-flac``. With the extra ``download``
            this makes m4a usable, too.
        convert_dir: the folder of these copies; by default one beside the manifest.
        report: an HTML page to write, about the classes and the reasons.
    """

    check: Check = "header"
    limits: ClipLimits = field(default_factory=ClipLimits)
    max_missing: float = 0.5
    max_per_class: int | None = None
    clean: bool = False
    corrections: Path | None = None
    convert: str | None = None
    convert_dir: Path | None = None
    report: Path | None = None

    def __post_init__(self) -> None:
        if self.check not in get_args(Check):
            raise InputError(f"check: no such choice {self.check!r}{nearest(self.check, get_args(Check))}")
        if not 0 <= self.max_missing <= 1:
            raise InputError(f"max_missing: expected a share between 0 and 1, not {self.max_missing}")
        if self.max_per_class is not None and self.max_per_class < 1:
            raise InputError(f"max_per_class must be at least 1, not {self.max_per_class}")
        if self.convert is not None:
            check_form(self.convert)


class Candidate(NamedTuple):
    """A clip of a corpus.

    Attributes:
        id: its name in the corpus.
        path: its file, absolute; None where there is none.
        texts: its captions.
        fault: why it can't be used, if that is known already.
        start, end: seconds; of the video in AudioSet's lists, else inside the file.
    """

    id: str
    path: str | None
    texts: tuple[ClipCaption, ...]
    fault: str | None = None
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Origin:
    """Where candidates come from, for manifests and messages.

    Attributes:
        ranged: ``start`` and ``end`` are inside the files.
        places: the folders or the list that were searched.
        name: the file name that was looked for, of a candidate.
        also: under which other names it was looked for.
        hint: what to look at where clips are missing or none can be used.
        rejects: the file that lists what is not used.
        id_name: what an id is called there.
    """

    ranged: bool
    places: Sequence[Path]
    rejects: Path
    name: Callable[[Candidate], str]
    also: str = "with other suffixes"
    hint: str = "check --audio-dir"
    id_name: str = "id"


@dataclass(frozen=True)
class ClassCount:
    """Rows of a class in the manifest, and rejected clips (or rows) of it."""

    used: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class AudioSummary:
    """What the headers of the clips in the manifest say: hours, and clips by sample rate (Hz) and channels."""

    hours: float
    sample_rates: dict[int, int]
    channels: dict[int, int]


@dataclass(frozen=True)
class PrepareResult:
    """What was prepared.

    Attributes:
        manifest, rejects, report: the files written; ``report`` only where asked for.
        segments: clips asked for.
        used_clips: clips in the manifest.
        rows: rows in the manifest.
        rejected: lines of ``rejects`` by reason.
        classes: by name, the most frequent first; empty where captions are free sentences.
        audio: None where nothing was checked.
        cleaned: {before -> after: how often} of corrected captions.
        converted: {"made", "found", "turned_down"}: copies made now, there before, and lowered to full scale.
    """

    manifest: Path
    rejects: Path
    segments: int
    used_clips: int
    rows: int
    rejected: dict[str, int]
    classes: dict[str, ClassCount]
    audio: AudioSummary | None = None
    cleaned: dict[str, int] = field(default_factory=dict)
    converted: dict[str, int] = field(default_factory=dict)
    report: Path | None = None


def require_output(output: Path) -> None:
    """Check early, before hours of checking clips, that the manifest can be written.

    Raises:
        InputError: the output is a folder, or its folder can't be made.
    """
    if output.is_dir():
        raise InputError(f"{output}: is a folder; expected the name of a file to write")
    make_folder(output.parent)


def prepare(
    candidates: Sequence[Candidate],
    output: Path,
    selection: Selection,
    origin: Origin,
    progress: Progress = no_progress,
) -> PrepareResult:
    """Write the manifest of the usable candidates, in their order, and a list of the others with the reasons.

    Raises:
        InputError: too many clips are missing, or none is usable.
        RunError: the disk is full.
    """
    work = _Work(candidates, origin, progress)
    work.require_present(selection.max_missing)
    audio = work.check(selection)
    work.require_present(selection.max_missing)  # again: a list may name files that are gone
    if selection.max_per_class is not None:
        work.balance(selection.max_per_class)
    converted = work.convert(output, selection) if selection.convert is not None else {}
    work.require_usable()
    cleaner = CaptionCleaner(read_corrections(selection.corrections)) if selection.clean else None
    rows = write_items(output, work.items(cleaner))
    write_rows(origin.rejects, (origin.id_name, *REJECT_COLUMNS), work.rejects())
    return PrepareResult(
        manifest=output,
        rejects=origin.rejects,
        segments=len(candidates),
        used_clips=work.faults.count(None),
        rows=rows,
        rejected=dict(work.rejected.most_common()),
        classes=work.classes(),
        audio=audio,
        cleaned={} if cleaner is None else {f"{a} -> {b}": count for (a, b), count in cleaner.changes.most_common()},
        converted=converted,
        report=selection.report,
    )


class _Work:
    """Candidates with what becomes of them: the fault of each, its texts that are left, and its copy.

    These are lists beside the candidates, since millions of candidates are not made anew at every step.
    """

    def __init__(self, candidates: Sequence[Candidate], origin: Origin, progress: Progress) -> None:
        self.candidates, self.origin, self.progress = candidates, origin, progress
        self.faults = [_first_fault(candidate) for candidate in candidates]
        self.texts = [candidate.texts for candidate in candidates]
        self.copies: dict[int, str] = {}
        self.used: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.rejected_classes: Counter[str] = Counter()

    def usable(self) -> list[int]:
        """Places of the candidates without a fault."""
        return [place for place, fault in enumerate(self.faults) if fault is None]

    def require_present(self, max_missing: float) -> None:
        """Stop where so much is missing that the folder is evidently wrong."""
        total, count = len(self.candidates), self.faults.count("missing")
        if count <= max_missing * total:
            return
        missing = (place for place, fault in enumerate(self.faults) if fault == "missing")
        names = ", ".join(self.origin.name(self.candidates[place]) for place in islice(missing, 3))
        more = f" and {count - 3} more" if count > 3 else ""
        raise InputError(
            f"{count} of {total} clips are missing (looked for {names}{more} in {some(self.origin.places)};"
            f" also {self.origin.also}); {self.origin.hint}, or allow more with --max-missing"
        )

    def require_usable(self) -> None:
        """Stop where nothing is left."""
        if None not in self.faults:
            reasons = some(f"{reason}: {count}" for reason, count in Counter(self.faults).most_common())
            hint = "try --captions each or joined" if "several labels" in self.faults else self.origin.hint
            raise InputError(f"no usable clip among {len(self.candidates)} clips ({reasons}); {hint}")

    def check(self, selection: Selection) -> AudioSummary | None:
        """Check what has no fault yet, and say what the headers of the good clips tell."""
        if selection.check == "none":
            return None
        places = self.usable()
        clips = (self._source(self.candidates[place]) for place in places)
        foreign = selection.convert is not None and is_available()
        findings = check_clips(clips, selection.check, selection.limits, foreign)
        seconds, rates, channels = 0.0, Counter[int](), Counter[int]()
        for done, (place, found) in enumerate(zip(places, findings, strict=True), start=1):
            self.faults[place] = found.fault
            if found.fault is None:
                seconds += found.seconds
                rates[found.sample_rate] += 1
                channels[found.channels] += 1
            if done % 256 == 0 or done == len(places):
                self.progress(done, len(places), "checking clips")
        return AudioSummary(round(seconds / 3600, 4), dict(rates.most_common()), dict(channels.most_common()))

    def balance(self, limit: int) -> None:
        """Leave at most ``limit`` rows a class; texts whose rarest class is rare come first, then the earlier ones."""
        units = [(place, text) for place in self.usable() for text in self.texts[place]]
        total = Counter(name for _, text in units for name in _classes(text))
        kept: Counter[str] = Counter()
        lost: dict[int, list[ClipCaption]] = {}
        for place, text in sorted(units, key=lambda unit: min(total[name] for name in _classes(unit[1]))):
            if all(kept[name] < limit for name in _classes(text)):
                kept.update(_classes(text))
            else:
                lost.setdefault(place, []).append(text)
        for place, gone in lost.items():
            self.texts[place] = tuple(text for text in self.texts[place] if text not in gone)
            self.faults[place] = None if self.texts[place] else OVER

    def convert(self, output: Path, selection: Selection) -> dict[str, int]:
        """Make the copies of the usable clips, and say how many."""
        assert selection.convert is not None
        folder = selection.convert_dir or output.parent / f"{output.stem}-{selection.convert}"
        places = self.usable()
        sources = [self._source(self.candidates[place]) for place in places]
        copies = convert_clips(sources, folder, selection.convert, self.progress)
        for place, copy in zip(places, copies.paths, strict=True):
            self.copies[place] = copy or ""
            self.faults[place] = None if copy else "not convertible"
        return {"made": copies.made, "found": copies.found, "turned_down": copies.turned_down}

    def _source(self, candidate: Candidate) -> SourceRange:
        return SourceRange(candidate.path or "", *self._range(candidate))

    def _range(self, candidate: Candidate) -> tuple[float, float | None]:
        """The seconds inside its file that a clip takes."""
        return (candidate.start, candidate.end) if self.origin.ranged else (0.0, None)

    def items(self, cleaner: CaptionCleaner | None) -> Iterator[dict[str, Any]]:
        """The manifest's items."""
        total = len(self.candidates)
        for place, (candidate, fault) in enumerate(zip(self.candidates, self.faults, strict=True)):
            if place % _TOLD == 0:
                self.progress(place, total, "writing the manifest")
            copy = self.copies.get(place)
            start, end = (0.0, None) if copy else self._range(candidate)  # a copy holds the range alone
            for text in () if fault is not None else self.texts[place]:
                self.used.update(text.classes)
                caption = text.caption if cleaner is None else cleaner(text.caption)
                yield manifest_item(copy or candidate.path or "", caption, text.labels, candidate.id, start, end)
        self.progress(total, total, "writing the manifest")

    def rejects(self) -> Iterator[dict[str, object]]:
        """A line for each candidate that is not used, and for each that lost some of its texts."""
        for candidate, fault, left in zip(self.candidates, self.faults, self.texts, strict=True):
            if fault is None and left is candidate.texts:
                continue
            lost = [text for text in candidate.texts if fault is not None or text not in left]
            self.rejected[fault or OVER] += 1
            self.rejected_classes.update({name for text in lost for name in text.classes})
            yield {
                self.origin.id_name: candidate.id,
                "start": candidate.start,
                "end": "" if candidate.end is None else candidate.end,
                "reason": fault or OVER,
                "path": (candidate.path or "").encode("utf-8", "backslashreplace").decode(),
                "labels": ",".join(dict.fromkeys(label for text in lost for label in text.labels)),
            }

    def classes(self) -> dict[str, ClassCount]:
        """Counts by class, after the items and rejects are written."""
        names = sorted({*self.used, *self.rejected_classes}, key=lambda name: (-self.used[name], name))
        return {name: ClassCount(self.used[name], self.rejected_classes[name]) for name in names}


def _first_fault(candidate: Candidate) -> str | None:
    if candidate.fault is not None or candidate.path is None:
        return candidate.fault or "missing"
    if not candidate.path.isascii():
        try:
            candidate.path.encode()
        except UnicodeEncodeError:  # bytes of no known encoding: JSON and CSV can't hold such a name
            return "name not UTF-8"
    return None


def _classes(text: ClipCaption) -> tuple[str, ...]:
    return text.classes or (text.caption,)
