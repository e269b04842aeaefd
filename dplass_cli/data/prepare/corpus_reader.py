"""The one reader of all corpora in the table: records of whatever file, then clips with their captions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dplass_cli.data.captions import Captions, ClipCaption, LabelCaptions
from dplass_cli.data.csv_tables import LATEST, read_table
from dplass_cli.data.prepare.corpora import Corpus
from dplass_cli.data.prepare.locating import SUFFIXES, ClipIndex
from dplass_cli.data.prepare.preparation import REJECTS, Candidate
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.storage import read_json

Record = Mapping[str, Any]
"""A line of a table, an object of a list or a file: {column: value}."""

_PLACE = "\0place"  # no list has such a column


def find_tables(corpus: Corpus, folder: Path, split: str) -> list[Path]:
    """Find a corpus' lists below its folder; what a run rejected (``NAME-rejects.csv``) is none.

    Raises:
        InputError: there is none.
    """
    assert corpus.table is not None
    pattern = corpus.table.format(split=split)
    found = sorted(path for path in folder.glob(pattern) if not path.name.endswith(REJECTS))
    if not found:
        raise InputError(f"{folder}: no {pattern} in it; give the file with --table, or another --split")
    return found


def table_records(path: Path, corpus: Corpus, split: str = "") -> list[Record]:
    """Read the records of a list: CSV with a header or, by ``corpus.columns``, without one; JSON as corpora have it.

    JSON is a list of objects, or an object with the list ``data``, with ``videos`` by class (MUSIC), or AudioLDM's
    ``dataset_root.json``.

    Raises:
        InputError: missing, not such a file, or without records.
    """
    records: list[Record]
    if path.suffix.lower() == ".json":
        records = _json_records(path, split)
    else:
        records = [record for _, record in read_table(path, corpus.columns)]
    if not records:
        raise InputError(f"{path}: lists nothing")
    return records


def _json_records(path: Path, split: str) -> list[Record]:
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("metadata"), dict):
        return _audioldm_records(path, content, split)
    if isinstance(content, dict) and isinstance(content.get("videos"), dict):
        if not all(isinstance(ids, list) for ids in content["videos"].values()):
            raise InputError(f"{path}: expected lists of ids under 'videos'")
        return [{"class": name, "id": id} for name, ids in content["videos"].items() for id in ids]
    return _listed_records(path, content)


def _listed_records(path: Path, content: Any) -> list[Record]:
    """The objects of a list, or of one under ``data``."""
    records = content.get("data") if isinstance(content, dict) else content
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: expected a list of objects, or one under 'data' or 'videos'")
    return records


def _audioldm_records(path: Path, content: Mapping[str, Any], split: str) -> list[Record]:
    """The records of each corpus that a ``dataset_root.json`` names; their files are below the corpus' folder."""
    lists = content["metadata"].get("path")
    if not isinstance(lists, dict) or not all(isinstance(splits, dict) for splits in lists.values()):
        raise InputError(f"{path}: expected 'metadata': {{'path': {{corpus: {{'train': file, …}}}}}}")
    records: list[Record] = []
    for name, splits in lists.items():
        if split not in splits:
            raise InputError(f"{path}: {name!r} has no {split!r}{nearest(split, splits)}")
        root = _beside(path, str(content.get(name, ".")))
        listed = _beside(path, str(splits[split]))
        for record in _listed_records(listed, read_json(listed)):
            wav = str(record.get("wav", ""))
            records.append({**record, "id": _stem(wav), "wav": f"{root}/{wav}", "split": split})
    return records


def _beside(path: Path, name: str) -> Path:
    """A path in AudioLDM's file: relative to the folder that its programs run in, somewhere above the file."""
    for folder in (Path(), *path.absolute().parents):
        if os.path.exists(folder / name):  # noqa: PTH110 (a name that no file can have is none; Path raises)
            return (folder / name).absolute()
    raise InputError(f"{path}: names {name}, which is neither below the working folder nor beside the file")


def file_records(files: Sequence[str], folder: Path, split: str) -> list[Record]:
    """Audio files as records: ``path`` below the folder, its first and last folder, its stem, and the ``file``."""
    root = os.path.abspath(folder) + "/"
    records: list[Record] = []
    for file in files:
        path = file.removeprefix(root)
        *folders, name = path.split("/")
        if _stem(name) != name and (not split or folders[:1] == [split]):
            parents = {"folder": folders[0] if folders else "", "parent": folders[-1] if folders else ""}
            records.append({"path": _stem(path), "stem": _stem(name), "file": file, **parents})
    return records


def named_by_split(table: Path, corpus: Corpus, split: str) -> bool:
    """Whether a list is of this part by its name, as published."""
    pattern = corpus.table or ""
    return "{split}" in pattern and table.absolute().match(pattern.format(split=split))


def of_split(records: Sequence[Record], split: str, where: str) -> list[Record]:
    """The records of a part of a corpus, by their column ``split``.

    Raises:
        InputError: there is no such column, or no record of this part.
    """
    parts = sorted({_text(record, "split") for record in records} - {""})
    if not parts:
        raise InputError(
            f"{where}: has no parts, for no column is 'split'; leave --split out, and choose lines with --where"
        )
    chosen = [record for record in records if _text(record, "split") == split]
    if not chosen:
        raise InputError(f"{where}: has no part {split!r} for --split; it has {some(parts, limit=20)}")
    return chosen


def kept(records: Sequence[Record], conditions: Mapping[str, Sequence[str]], where: str) -> list[Record]:
    """The records whose columns have one of the wanted values.

    Raises:
        InputError: no such column, or no record is left.
    """
    for column in conditions:
        if column not in records[0]:
            raise InputError(f"{where}: no column {column!r} for --where{nearest(column, map(str, records[0]))}")
    chosen = [
        record
        for record in records
        if all(str(record.get(column, "")).strip() in values for column, values in conditions.items())
    ]
    if not chosen:
        raise InputError(f"{where}: no line has {some(f'{key}={value}' for key, value in conditions.items())}")
    return chosen


def with_places(tables: Mapping[Path, Sequence[Record]]) -> list[Record]:
    """The records of several lists, each with the folder of its list: lists of parts may use one name for two files."""
    if len(tables) == 1:
        return [record for records in tables.values() for record in records]
    return [{**record, _PLACE: table.parent.name} for table, records in tables.items() for record in records]


def require_columns(records: Sequence[Record], corpus: Corpus, where: str) -> None:
    """Check that the columns which hold names and captions are there.

    Raises:
        InputError: one is not (says which there are).
    """
    known = list(dict.fromkeys(str(key) for record in records[:100] for key in record if key != _PLACE))
    needed = [*corpus.captions, corpus.id if corpus.video else corpus.name]
    for column in filter(None, needed):
        if column not in known:
            raise InputError(f"{where}: no column {column!r}{nearest(column, known)}; say which with --column")


def clip_names(records: Sequence[Record], corpus: Corpus) -> Iterator[str]:
    """The file names that the records ask for."""
    if corpus.name:
        for record in records:
            yield _text(record, corpus.name)


def candidates(
    records: Sequence[Record], corpus: Corpus, index: ClipIndex | None, form: Captions, where: str
) -> Iterator[Candidate]:
    """Make clips of records: records of one id, file and range are one clip with several captions.

    Raises:
        InputError: a record has no id, or a time that is no number.
    """
    texts = _label_texts(records, corpus, form)
    clips: dict[tuple[str, str | None, float, float | None], list[Record]] = {}
    for number, record in enumerate(records, start=1):
        start, end = _times(record, corpus, f"{where}: record {number}")
        path = _path(record, corpus, index, start, end)
        name = _text(record, corpus.id) or _stem(_text(record, corpus.name))
        if not name:
            raise InputError(f"{where}: record {number} has no {corpus.id or corpus.name!r}")
        clips.setdefault((name, path, start, end), []).append(record)
    for (name, path, start, end), lines in clips.items():
        if texts is not None:
            chosen, fault = texts(tuple(_split(_text(lines[0], corpus.labels))))
        else:
            chosen = tuple(dict.fromkeys(text for line in lines for text in _texts(line, corpus)))
            fault = None if chosen else "no caption"
        yield Candidate(name, path, chosen, "missing" if path is None else fault, start, end)


def _stem(name: str) -> str:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    return stem.strip() if suffix.lower() in SUFFIXES else name


def words(name: str) -> str:
    """The name of a class as words: ``door_wood_knock`` -> ``door wood knock``."""
    return " ".join(name.replace("_", " ").split())


def _label_texts(records: Sequence[Record], corpus: Corpus, form: Captions) -> LabelCaptions | None:
    """For corpora whose clips have several classes, named beside their machine ids."""
    if corpus.sentences or not corpus.labels:
        return None
    names: dict[str, str] = {}
    for record in records:
        mids, said = _split(_text(record, corpus.labels)), _split(_text(record, corpus.captions[0]))
        names.update((mid, words(name)) for mid, name in zip(mids, said, strict=False))
    return LabelCaptions(names, form)


def _texts(record: Record, corpus: Corpus) -> Iterator[ClipCaption]:
    labels = tuple(_split(_text(record, corpus.labels))) if corpus.labels else ()
    for column in corpus.captions:
        value = record.get(column, "")
        for caption in value if isinstance(value, list) else [value]:
            caption = str(caption).strip()
            if corpus.said:
                caption = corpus.said.get(caption, "")
            elif not corpus.sentences:
                caption = words(caption)
            if caption:
                yield ClipCaption(caption, labels, () if corpus.sentences else (caption,))


def _path(record: Record, corpus: Corpus, index: ClipIndex | None, start: float, end: float | None) -> str | None:
    if index is None:
        return str(record["file"])
    if corpus.video:
        return index.by_id(_text(record, corpus.id), start, start if end is None else end)
    name = _text(record, corpus.name)
    if name.startswith("/"):
        return name
    return index.by_name(name, _text(record, _PLACE)) if name else None


def _times(record: Record, corpus: Corpus, where: str) -> tuple[float, float | None]:
    start = _seconds(_text(record, corpus.start), f"{where}: {corpus.start}") or 0.0
    end = _seconds(_text(record, corpus.end), f"{where}: {corpus.end}")
    if end is None and corpus.seconds is not None:
        end = start + corpus.seconds
    if end is not None and not 0 <= start < end:
        raise InputError(f"{where}: start and end must be seconds with 0 <= start < end, not {start} and {end}")
    return start, end


def _seconds(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < LATEST:
        raise InputError(f"{where}: expected seconds, not {text!r}")
    return value


def _text(record: Record, column: str) -> str:
    """A value as text; empty where there is none. File names keep blanks inside, and lose those around them."""
    value = record.get(column) if column else None
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value).strip()


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
