"""``prepare-audioset``: from AudioSet's segment lists and a folder of clips to a manifest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from dplass_cli.audio.folders import walk_folders
from dplass_cli.data.captions import Captions, ClipCaption, LabelCaptions
from dplass_cli.data.csv_tables import collector_paused, read_captions, read_pairs
from dplass_cli.data.prepare.audioset_lists import Segment, read_class_labels, read_ids, read_segments
from dplass_cli.data.prepare.locating import READABLE, ClipIndex, listed_files
from dplass_cli.data.prepare.preparation import Candidate, Origin, PrepareResult, Selection, prepare, require_output
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.storage import Progress, no_progress

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareOptions(Selection):
    """What to prepare; and how it is checked and chosen, as :class:`~dplass_cli.data.prepare.preparation.Selection`.

    Attributes:
        segments: AudioSet segment lists (weak ``.csv`` or strong ``.tsv``), read in this order.
        labels: the class list (index, mid, display_name), or the strong labels' ``mid_to_display_name.tsv``.
        audio_dir: folders with the clips, searched with their subfolders.
        output: the manifest to write; ``rejects.csv`` goes beside it.
        captions: "single" keeps clips with one label, "each" makes a row of each label, "joined" one of all labels,
            "file" a row of each of their captions in ``caption_file``.
        caption_file: a CSV (ytid or youtube_id, caption), such as AudioCaps'.
        exclude_label: class names or machine ids; clips with one of them are left out.
        include_domain: only classes of these domains of ``domains`` become captions.
        domains: a partition folder, or a published partition of class names.
        name_map: a CSV (YTID, filename) for clips with other names.
        name_pattern: how the clips are named, such as ``{id}_{start:06.0f}``.
        ids: a text file with the YTIDs to keep, one a line.
        file_list: a text file with the clips' paths, one a line; it spares reading the folders.
    """

    segments: tuple[Path, ...] = ()
    labels: Path = field(kw_only=True)
    audio_dir: tuple[Path, ...] = ()
    output: Path = field(kw_only=True)
    captions: Captions = "single"
    caption_file: Path | None = None
    exclude_label: tuple[str, ...] = ()
    include_domain: tuple[int, ...] = ()
    domains: Path | None = None
    name_map: Path | None = None
    name_pattern: str = ""
    ids: Path | None = None
    file_list: Path | None = None


def prepare_audioset(options: PrepareOptions, progress: Progress = no_progress) -> PrepareResult:
    """Write the manifest of the usable clips, in the order of the lists, and ``rejects.csv`` with the others.

    Raises:
        InputError: an option or input file is wrong, ``ids`` match no segment, too many clips are missing,
            or no clip is usable.
    """
    _require_valid(options)
    return prepare_found(lambda: _find(options, progress), options, options.output, progress)


def prepare_found(
    find: Callable[[], tuple[list[Candidate], Origin]], selection: Selection, output: Path, progress: Progress
) -> PrepareResult:
    """Write the manifest of what ``find`` finds, and the page about it where one is asked for.

    Raises:
        InputError: as :func:`~dplass_cli.data.prepare.preparation.prepare`.
    """
    require_output(output)
    with collector_paused():
        candidates, origin = find()
        result = prepare(candidates, output, selection, origin, progress)
    if selection.report is not None:
        from dplass_cli.reports.preparation_report import write_report

        write_report(selection.report, result)
    return result


def _find(options: PrepareOptions, progress: Progress) -> tuple[list[Candidate], Origin]:
    names = read_class_labels(options.labels)
    texts = LabelCaptions(names, options.captions, _known_labels(options, names), _included(options))
    captions = {} if options.caption_file is None else read_captions(options.caption_file)
    name_map = {} if options.name_map is None else read_pairs(options.name_map, ("YTID",), ("filename",))
    segments = _wanted_segments(options, progress)
    progress(0, 1, "finding clips")
    index = ClipIndex(_files(options), name_map.values(), options.name_pattern)
    progress(0, 1, "matching segments and clips")
    candidates = list(_candidates(segments, index, name_map, texts, captions, options.captions))
    origin = Origin(
        ranged=False,
        places=options.audio_dir if options.file_list is None else (options.file_list,),
        name=lambda candidate: name_map.get(candidate.id, f"{candidate.id}{READABLE[0]}"),
        also="with other suffixes, a leading Y, or start and end after the id",
        hint="check --audio-dir and --labels, give other file names with --name-map or --name-pattern",
        rejects=options.output.with_name("rejects.csv"),
        id_name="ytid",
    )
    return candidates, origin


def _require_valid(options: PrepareOptions) -> None:
    if options.captions not in get_args(Captions):
        raise InputError(
            f"captions: no such choice {options.captions!r}{nearest(options.captions, get_args(Captions))}"
        )
    if not options.segments:
        raise InputError("no segment list; give one with --segments")
    if not options.audio_dir and options.file_list is None:
        raise InputError("no clips; give their folder with --audio-dir or a list of paths with --file-list")
    if absent := [folder for folder in options.audio_dir if not folder.is_dir()]:
        raise InputError(f"{some(absent)}: no such folder; check --audio-dir")
    if (options.captions == "file") != (options.caption_file is not None):
        raise InputError("--captions file and --caption-file CSV belong together; give both")
    if bool(options.include_domain) != (options.domains is not None):
        raise InputError("--include-domain and --domains (a partition) belong together; give both")


def _known_labels(options: PrepareOptions, names: Mapping[str, str]) -> tuple[str, ...]:
    known = {name.casefold() for pair in names.items() for name in pair}
    for label in options.exclude_label:
        if label.casefold() not in known:
            raise InputError(f"--exclude-label {label!r}: not in {options.labels}{nearest(label, names.values())}")
    return options.exclude_label


def _included(options: PrepareOptions) -> set[str] | None:
    """The names of the classes of the wanted domains; None where all are wanted."""
    if options.domains is None:
        return None
    domains = _read_domains(options.domains)
    unknown = [id for id in options.include_domain if id not in domains]
    if unknown:
        raise InputError(f"{options.domains}: no domain {unknown[0]}; it has {some(domains, limit=20)}")
    return {name for id in options.include_domain for name in domains[id]}


def _read_domains(path: Path) -> dict[int, tuple[str, ...]]:
    if not path.is_dir():
        from dplass_cli.domains.imported import read_categories

        return read_categories(path)
    from dplass_cli.domains.partition_folder import read_partition

    return {domain.id: domain.captions for domain in read_partition(path).domains}


def _wanted_segments(options: PrepareOptions, progress: Progress) -> list[Segment]:
    segments: list[Segment] = []
    for done, path in enumerate(options.segments):
        progress(done, len(options.segments), "reading segment lists")
        segments += read_segments(path)
    if not segments:
        raise InputError(f"{some(options.segments)}: holds no segments; check --segments")
    if options.ids is None:
        return segments
    ids = read_ids(options.ids)
    wanted = [segment for segment in segments if segment.ytid in ids]
    if not wanted:
        raise InputError(
            f"{options.ids}: none of its {len(ids)} ids is in the segment lists; expected YTIDs such as "
            f"{segments[0].ytid!r}, one a line, not {min(ids)!r}"
        )
    if unknown := len(ids - {segment.ytid for segment in wanted}):
        _log.warning("%s: %d of %d ids are not in the segment lists", options.ids, unknown, len(ids))
    return wanted


def _files(options: PrepareOptions) -> Iterator[str]:
    if options.file_list is not None:
        return listed_files(options.file_list, options.audio_dir)
    return walk_folders(options.audio_dir)


def _candidates(
    segments: list[Segment],
    index: ClipIndex,
    name_map: Mapping[str, str],
    texts: LabelCaptions,
    captions: Mapping[str, tuple[str, ...]],
    form: Captions,
) -> Iterator[Candidate]:
    seen: set[str] = set()
    for ytid, start, end, mids in segments:
        path = index.by_name(name_map[ytid]) if ytid in name_map else None
        if path is None:
            path = index.by_id(ytid, start, end)
        chosen, fault = texts(mids)
        if form == "file":
            chosen, fault = _with_captions(chosen, fault, captions.get(ytid, ()))
        if ytid in seen:
            fault = "duplicate id"
        elif path is None:
            fault = "missing"
        seen.add(ytid)
        yield Candidate(ytid, path, chosen, fault, start, end)


def _with_captions(
    texts: tuple[ClipCaption, ...], fault: str | None, captions: tuple[str, ...]
) -> tuple[tuple[ClipCaption, ...], str | None]:
    """The texts of a clip whose captions someone wrote; its labels are kept, and may be unknown."""
    fault = None if fault == "unknown label" else fault
    if not captions:
        return texts, fault or "no caption"
    labels, classes = (texts[0].labels, texts[0].classes) if texts else ((), ())
    return tuple(ClipCaption(caption, labels, classes) for caption in captions), fault
