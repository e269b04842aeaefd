"""Reading the lists of all corpora of the table into records: a data frame with the corpus' own columns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from dplass_cli.audio.folders import SUFFIXES
from dplass_cli.data.prepare.corpora import CORPORA, Corpus
from dplass_cli.data.prepare.corpus_tables import read_table
from dplass_cli.errors import InputError, check_choice, nearest, similar, some
from dplass_cli.file_names import with_slashes
from dplass_cli.storage import read_json

COLUMN_FIELDS = ("captions", "end", "id", "labels", "name", "start")
_ALIASES = {"caption": "captions", "wav": "name"}

LIST_FOLDER = "\0folder"
"""Column with the folder that a record's list is in, where several lists are read. No list has such a column."""


def corpus_with_columns(kind: str, columns: Mapping[str, str]) -> Corpus:
    """Look a corpus up in the table and replace columns: {role: column}; several captions are separated by commas.

    Raises:
        InputError: no such corpus or role.
    """
    check_choice("KIND", kind, CORPORA)
    changes: dict[str, Any] = {}
    for role, column in columns.items():
        known = [*_ALIASES, *COLUMN_FIELDS]
        check_choice("--column", role, known)
        role = _ALIASES.get(role, role)
        changes[role] = tuple(column.split(",")) if role == "captions" else column
    return replace(CORPORA[kind], **changes)


def read_records(corpus: Corpus, tables: Sequence[Path], split: str, split_given: bool) -> pd.DataFrame:
    """Read the records of one part of a corpus from its lists.

    If ``split_given``, the user asked for this part, so that a list not named after it must have a column ``split``.

    Raises:
        InputError: a list cannot be read, has no records of this part, or lacks a column that is needed.
    """
    frames = [_read_list(table, corpus, split) for table in tables]
    if len(frames) == 1:
        records = frames[0]
    else:  # lists may use the same name for different files, which lie next to their lists
        frames = [frame.assign(**{LIST_FOLDER: table.parent.name}) for table, frame in zip(tables, frames, strict=True)]
        records = pd.concat(frames, ignore_index=True)
    where = str(tables[0])
    named = "{split}" in (corpus.table or "") and (corpus.table or "").format(split=split)
    if split_given and not (named and all(table.absolute().match(named) for table in tables)):
        records = _rows_of_split(records, split, where)
    _require_columns(records, corpus, where)
    return records


def find_tables(corpus: Corpus, folder: Path, split: str) -> list[Path]:
    """Find a corpus' lists below its folder, other than the lists of rejected clips that earlier runs wrote.

    Raises:
        InputError: there is none.
    """
    assert corpus.table is not None
    pattern = corpus.table.format(split=split)
    rejects = corpus.rejects.format(manifest="")
    found = sorted(path for path in folder.glob(pattern) if not path.name.endswith(rejects))
    if not found:
        raise InputError(f"{folder}: no {pattern} in it; give the file with --table, or another --split")
    return found


def _read_list(path: Path, corpus: Corpus, split: str) -> pd.DataFrame:
    """Read CSV, or JSON: objects in a list or under ``data``, MUSIC's ``videos``, AudioLDM's ``dataset_root.json``."""
    if path.suffix.lower() == ".json":
        # dtype=object: otherwise integer ids next to missing ones would become floats
        records = pd.DataFrame(_json_records(path, split), dtype=object)
    else:
        records = read_table(path, corpus.columns)
    if records.empty:
        raise InputError(f"{path}: contains no records")
    return records


def _json_records(path: Path, split: str) -> list[Mapping[str, Any]]:
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("metadata"), dict):
        return _audioldm_records(path, content, split)
    if isinstance(content, dict) and isinstance(content.get("videos"), dict):
        if not all(isinstance(ids, list) for ids in content["videos"].values()):
            raise InputError(f"{path}: expected lists of ids under 'videos'")
        return [{"class": name, "id": id} for name, ids in content["videos"].items() for id in ids]
    return _listed_records(path, content)


def _listed_records(path: Path, content: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list, or of one under ``data``."""
    records = content.get("data") if isinstance(content, dict) else content
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: expected a list of objects, or one under 'data' or 'videos'")
    return records


def _audioldm_records(path: Path, content: Mapping[str, Any], split: str) -> list[Mapping[str, Any]]:
    """Return the records of each corpus that a ``dataset_root.json`` names, with absolute paths of their files."""
    lists = content["metadata"].get("path")
    if not isinstance(lists, dict) or not all(isinstance(splits, dict) for splits in lists.values()):
        raise InputError(f"{path}: expected 'metadata': {{'path': {{corpus: {{'train': file, …}}}}}}")
    records: list[Mapping[str, Any]] = []
    for name, splits in lists.items():
        if split not in splits:
            raise InputError(f"{path}: {name!r} has no {split!r}{nearest(split, splits)}")
        root = _resolve(path, str(content.get(name, ".")))
        listed = _resolve(path, str(splits[split]))
        for record in _listed_records(listed, read_json(listed)):
            wav = str(record.get("wav", ""))
            records.append({**record, "id": stem(wav), "wav": f"{root}/{wav}", "split": split})
    return records


def _resolve(path: Path, name: str) -> Path:
    """Resolve a path in AudioLDM's file: relative to the working folder, or to a folder somewhere above the file."""
    for folder in (Path(), *path.absolute().parents):
        if os.path.exists(folder / name):  # noqa: PTH110 (Path.exists raises for names that no file can have)
            return (folder / name).absolute()
    raise InputError(f"{path}: names {name}, which exists neither in the working folder nor in a folder above the file")


def file_records(files: Sequence[str], folder: Path, split: str) -> pd.DataFrame:
    """Return one record per audio file.

    The columns are ``path`` (below ``folder``, without suffix), ``folder`` (the first below it), ``parent`` (the last),
    ``stem`` and ``file`` (the absolute path).

    Raises:
        InputError: there is no audio file.
    """
    root = with_slashes(os.path.abspath(folder)) + "/"
    records = []
    for file in files:
        path = file.removeprefix(root)
        *folders, name = path.split("/")
        if stem(name) != name and (not split or folders[:1] == [split]):
            parents = (folders[0], folders[-1]) if folders else ("", "")
            records.append((stem(path), *parents, stem(name), file))
    if not records:
        raise InputError(f"{folder}: no audio files{f' below {split}' if split else ''}; check the path")
    return pd.DataFrame(records, columns=["path", "folder", "parent", "stem", "file"], dtype=object)


def _rows_of_split(records: pd.DataFrame, split: str, where: str) -> pd.DataFrame:
    parts = column_texts(records, "split")
    known = sorted({*parts} - {""})
    if not known:
        raise InputError(
            f"{where}: no column 'split', so there are no parts; omit --split, and choose rows with --where"
        )
    if split not in known:
        raise InputError(f"{where}: no part {split!r} for --split; it has {some(known, limit=20)}")
    return records[parts == split]


def rows_where(records: pd.DataFrame, conditions: Mapping[str, str], where: str) -> pd.DataFrame:
    """Return the records that meet all conditions, {column: values separated by commas}.

    Raises:
        InputError: no such column, or no record is left.
    """
    for column, values in conditions.items():
        if column not in records:
            raise _no_column(column, records, f"{where}: --where")
        wanted = [value.strip() for value in values.split(",")]
        records = records[records[column].astype(str).str.strip().isin(wanted)]
    if records.empty:
        raise InputError(f"{where}: no row has {some(f'{key}={value}' for key, value in conditions.items())}")
    return records


def _require_columns(records: pd.DataFrame, corpus: Corpus, where: str) -> None:
    for column in filter(None, [*corpus.captions, corpus.id if corpus.video else corpus.name]):
        if column not in records:
            raise _no_column(column, records, where, "; name the right one with --column")


def require_columns(records: pd.DataFrame, columns: Mapping[str, str], where: str) -> None:
    """Check that records have the columns that the user named, also those that a corpus may lack.

    Args:
        records: all records.
        columns: {role: column}, as :func:`corpus_with_columns` takes them.
        where: the list, for error messages.

    Raises:
        InputError: there is no such column.
    """
    for role, names in columns.items():
        for name in names.split(",") if _ALIASES.get(role, role) == "captions" else [names]:
            if name not in records:
                raise _no_column(name, records, f"{where}: --column {role}={names}")


def _no_column(column: str, records: pd.DataFrame, where: str, remedy: str = "") -> InputError:
    known = [str(name) for name in records if name != LIST_FOLDER]
    return InputError(f"{where}: no column {column!r} among {some(known, 20)}{remedy}{similar(column, known)}")


def column_texts(records: pd.DataFrame, column: str) -> pd.Series[str]:
    """Return a column as stripped texts: empty where there is no value or no such column, lists joined by commas."""
    if not column or column not in records:
        return pd.Series("", index=records.index, dtype=object)
    return records[column].map(_text).astype(object)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None or value != value else str(value).strip()  # NaN: the JSON object has no such key


def stem(name: str) -> str:
    """Return a file name, or path, without the suffix of an audio format."""
    root, suffix = os.path.splitext(name)  # noqa: PTH122
    return root.strip() if suffix.lower() in SUFFIXES else name
