"""Reading text tables line by line, so that what is wrong in one is told with its file and line."""

from __future__ import annotations

import contextlib
import csv
import gc
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.storage import read_text, require_file

LATEST = 1e9  # seconds: no recording has more, and larger numbers are no times

csv.field_size_limit(1 << 20)  # a caption may be long; a quote that never closes is found long before


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's collector of cycles while millions of rows are made.

    They have no cycles, and it would walk over all of them again and again: a quarter of the time.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def table_lines(path: Path | str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of each line that is neither blank nor a ``#`` comment.

    Byte-order marks, any line ends and blanks after a delimiter are understood. Quotes hold fields together, but not
    where tabs part them.

    Raises:
        InputError: the file is missing, not UTF-8, or a quote does not close on its line.
    """
    return _records(path, delimiter, whole_lines=True)


def _records(path: Path | str, delimiter: str, whole_lines: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield records; with ``whole_lines`` each is a line, and comments are skipped."""
    require_file(path)
    line = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(
                map(_without_comment, stream) if whole_lines else stream,
                delimiter=delimiter,
                skipinitialspace=True,
                quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
            )
            for line, fields in enumerate(reader, start=1):
                if whole_lines and reader.line_num != line:
                    raise InputError(f"{path}: line {line}: a quote opens and does not close on the line")
                if fields:
                    yield reader.line_num, fields
    except csv.Error as error:
        raise InputError(f"{path}: line {line + 1}: not CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


def _without_comment(line: str) -> str:
    return "\n" if line.isspace() or line.lstrip().startswith("#") else line


def read_table(path: Path | str, columns: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: value}) of a CSV file with a header, or of one without by the names of its columns.

    Values in quotes may hold line breaks; comments may stand above the header.

    Raises:
        InputError: as :func:`table_lines`; a line has more or fewer fields than there are columns.
    """
    records = (record for record in _records(path, ",", whole_lines=False) if any(map(str.strip, record[1])))
    names = list(columns) or next((fields for _, fields in records if not fields[0].startswith("#")), [])
    names = [name.strip() for name in names]
    for line, fields in records:
        if len(fields) != len(names):
            raise InputError(f"{path}: line {line}: expected {len(names)} fields, not {len(fields)}; quote commas")
        yield line, dict(zip(names, fields, strict=True))


def filled_rows(path: Path | str, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: value}) of a CSV file with a header in which some columns may not be empty.

    Args:
        columns: these; there may be others. what: such a table, for messages.

    Raises:
        InputError: the file is missing, not CSV, lacks a column, has no rows, or a row with more fields, or with one
            of these empty (says which line).
    """
    reader, line = csv.DictReader(io.StringIO(read_text(path), newline="")), 0
    try:
        for column in columns:
            if column not in (reader.fieldnames or []):
                raise InputError(f"{path}: no column {column!r}; {what} has {', '.join(columns)}")
        header = line = reader.line_num
        for row in reader:
            line = reader.line_num
            if any(map(str.strip, row.pop(None, []))):
                fields = len(reader.fieldnames or ())
                raise InputError(f"{path}: line {line}: has more than the {fields} fields of the header; quote commas")
            for column in columns:
                if not (row[column] or "").strip():
                    raise InputError(f"{path}: line {line}: {column!r} is empty")
            yield line, row
    except csv.Error as error:
        raise InputError(f"{path}: line {line + 1}: not CSV ({error})") from error
    if line == header:
        raise InputError(f"{path}: the table has no rows")


def table_columns(path: Path | str, *names: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, values) of some columns of a CSV file with a header, whatever their order and case.

    Each of ``names`` is a column, by the names that it may have; values are stripped of blanks around them.

    Raises:
        InputError: as :func:`read_table`; a column is not there.
    """
    places: list[str] = []
    for line, record in read_table(path):
        places = places or _places(list(record), path, names)
        yield line, [record[place].strip() for place in places]
    if not places:
        _places([], path, names)


def _places(columns: Sequence[str], path: Path | str, names: Sequence[Iterable[str]]) -> list[str]:
    by_name = {column.lower(): column for column in columns}
    places = [next((by_name[name.lower()] for name in known if name.lower() in by_name), None) for known in names]
    if None in places:
        wanted = " and ".join(" or ".join(known) for known in names)
        raise InputError(f"{path}: expected a header with the columns {wanted}, not {','.join(columns)!r}")
    return [place for place in places if place is not None]


def read_pairs(path: Path | str, key: Iterable[str], value: Iterable[str]) -> dict[str, str]:
    """Read two columns as a dictionary; the names are as in :func:`table_columns`.

    Raises:
        InputError: as :func:`table_columns`; a key or value is empty, or a key is listed twice.
    """
    key, value = list(key), list(value)
    pairs: dict[str, str] = {}
    for line, (name, text) in table_columns(path, key, value):
        if not name or not text:
            raise InputError(f"{path}: line {line}: {key[0]} or {value[0]} is empty")
        if name in pairs:
            raise InputError(f"{path}: line {line}: {key[0]} {name!r} is listed twice; keep one of the lines")
        pairs[name] = text
    return pairs


def read_captions(path: Path | str) -> dict[str, tuple[str, ...]]:
    """Read captions by id from a CSV such as AudioCaps': a line a caption, an id on any number of lines.

    The columns are ``ytid``, ``youtube_id`` or ``id``, and ``caption``.

    Raises:
        InputError: as :func:`table_columns`; an id or caption is empty, or there is none.
    """
    captions: dict[str, tuple[str, ...]] = {}
    for line, (id, caption) in table_columns(path, ("ytid", "youtube_id", "id"), ("caption",)):
        if not id or not caption:
            raise InputError(f"{path}: line {line}: the id or the caption is empty")
        captions[id] = (*captions.get(id, ()), caption)
    if not captions:
        raise InputError(f"{path}: holds no captions")
    return captions
