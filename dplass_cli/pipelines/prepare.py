"""``prepare``: from a corpus of the table to a manifest, and from several manifests to one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from dplass_cli.audio.folders import walk_folders
from dplass_cli.data.captions import Captions
from dplass_cli.data.prepare.converting import is_copy
from dplass_cli.data.prepare.corpora import CORPORA, Corpus
from dplass_cli.data.prepare.corpus_reader import (
    Record,
    candidates,
    clip_names,
    file_records,
    find_tables,
    kept,
    named_by_split,
    of_split,
    require_columns,
    table_records,
    with_places,
)
from dplass_cli.data.prepare.locating import ClipIndex, listed_files
from dplass_cli.data.prepare.merging import MergeResult, merge_manifests
from dplass_cli.data.prepare.preparation import REJECTS, Candidate, Origin, PrepareResult, Selection, require_output
from dplass_cli.errors import InputError, nearest
from dplass_cli.pipelines.prepare_audioset import prepare_found
from dplass_cli.storage import Progress, no_progress, require_folder

COLUMN_FIELDS = ("captions", "end", "id", "labels", "name", "start")
_ALIASES = {"caption": "captions", "wav": "name"}


@dataclass(frozen=True)
class CorpusOptions(Selection):
    """What to prepare; and how it is checked and chosen, as :class:`~dplass_cli.data.prepare.preparation.Selection`.

    Attributes:
        kind: a corpus of :data:`~dplass_cli.data.prepare.corpora.CORPORA`.
        folder: where it lies.
        output: the manifest to write; ``NAME-rejects.csv`` goes beside it.
        table: its lists, where they are not found below the folder.
        audio_dir: folders with its clips; by default ``folder``, else the lists' folders.
        split: the part of it, by its list's name, its folders, or its column ``split``; some corpora have a default.
        where: {column: values}; only lines with one of the values are used (values separated by commas).
        column: {"caption" (one or several, with commas), "wav", "id", "labels", "start" or "end": the table's column}.
        captions: of clips with several classes, as for AudioSet: "single", "each" or "joined".
        name_pattern: how clips of videos are named, such as ``{id}_{start:06.0f}``.
        file_list: a text file with the clips' paths, one a line; it spares reading the folders.
    """

    kind: str = field(kw_only=True)
    output: Path = field(kw_only=True)
    folder: Path | None = None
    table: tuple[Path, ...] = ()
    audio_dir: tuple[Path, ...] = ()
    split: str | None = None
    where: dict[str, str] = field(default_factory=dict)
    column: dict[str, str] = field(default_factory=dict)
    captions: Captions = "each"
    name_pattern: str = ""
    file_list: Path | None = None


def prepare_corpus(options: CorpusOptions, progress: Progress = no_progress) -> PrepareResult:
    """Write the manifest of a corpus, in the order of its list, and ``NAME-rejects.csv`` with what is not used.

    Raises:
        InputError: an option or input file is wrong, too many clips are missing, or none is usable.
    """
    corpus = _corpus(options)
    return prepare_found(lambda: _find(corpus, options, progress), options, options.output, progress)


def _corpus(options: CorpusOptions) -> Corpus:
    """The row of the table, with the columns that the user named."""
    if options.kind not in CORPORA:
        raise InputError(f"{options.kind}: no such corpus{nearest(options.kind, CORPORA)}")
    if options.captions not in get_args(Captions)[:3]:
        raise InputError(f"captions: no such choice {options.captions!r}; known: each, joined, single")
    if options.folder is None and not options.table:
        raise InputError("no corpus; give its folder, or its list with --table")
    for folder in (*([] if options.folder is None else [options.folder]), *options.audio_dir):
        require_folder(folder)
    changes: dict[str, Any] = {}
    for role, column in options.column.items():
        known = [*_ALIASES, *COLUMN_FIELDS]
        if role not in known:
            raise InputError(f"--column {role}: no such role of a column{nearest(role, known)}")
        role = _ALIASES.get(role, role)
        changes[role] = tuple(column.split(",")) if role == "captions" else column
    return replace(CORPORA[options.kind], **changes)


def _find(corpus: Corpus, options: CorpusOptions, progress: Progress) -> tuple[list[Candidate], Origin]:
    split = corpus.split if options.split is None else options.split
    folders = options.audio_dir or (
        (options.folder,) if options.folder else tuple(path.parent for path in options.table)
    )
    progress(0, 1, "finding clips")
    files = walk_folders(folders) if options.file_list is None else listed_files(options.file_list, folders)
    records: list[Record]
    index: ClipIndex | None = None
    if corpus.table is None:
        root = options.folder or folders[0]
        clips = [file for file in files if not is_copy(file, options.convert_dir)]  # of an earlier run
        records, where = file_records(clips, root, split), str(root)
        if not records:
            raise InputError(f"{root}: no audio files{f' below {split}' if split else ''}; check the path")
    else:
        tables = options.table or tuple(find_tables(corpus, options.folder or Path(), split))
        records = with_places({table: table_records(table, corpus, split) for table in tables})
        where = str(tables[0])
        if options.split and not all(named_by_split(table, corpus, split) for table in tables):
            records = of_split(records, split, where)
        require_columns(records, corpus, where)
    conditions = {column: [value.strip() for value in text.split(",")] for column, text in options.where.items()}
    records = kept(records, conditions, where)
    if corpus.table is not None:
        index = ClipIndex(files, clip_names(records, corpus), options.name_pattern)
    origin = Origin(
        ranged=not corpus.video,
        places=folders if options.file_list is None else (options.file_list,),
        name=lambda candidate: candidate.id,
        rejects=options.output.with_name(f"{options.output.stem}{REJECTS}"),
        hint="check the folder, --audio-dir and --column",
    )
    return list(candidates(records, corpus, index, options.captions, where)), origin


@dataclass(frozen=True)
class MergeOptions:
    """Manifests to make one of.

    Attributes:
        manifests: the sources.
        output: the manifest to write.
        share: of each source, how many rows a row of the first; by default all rows of each.
        seed: of the choice of rows.
    """

    manifests: tuple[Path, ...] = field(metadata={"given": "a manifest, such as train.json,"})
    output: Path
    share: tuple[float, ...] = ()
    seed: int = 42


def merge(options: MergeOptions) -> MergeResult:
    """Write one manifest with the wanted share of each source; each row says its ``source``.

    Raises:
        InputError: a manifest is unusable, or shares and manifests differ in number.
    """
    require_output(options.output)
    return merge_manifests(options.manifests, options.output, options.share, options.seed)
