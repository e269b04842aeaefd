"""Strict reading of text tables, row by row: every error names the file and the line.

All tables that a user gives are read here. Fields are separated by commas, or, as the header shows, by semicolons or
tabs; a line that begins with ``#`` is a comment; blanks around a field and rows without any text are ignored.

The rows are parsed with the standard library and not with pandas, whose parser silently pads short rows and does not
keep line numbers. On AudioSet's two million segments both take the same time.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dplass_cli.errors import InputError, some
from dplass_cli.file_names import is_text
from dplass_cli.storage import require_file

_log = logging.getLogger(__name__)

MAX_SECONDS = 1e9  # no recording is longer; larger values are not times

csv.field_size_limit(1 << 20)  # long captions fit, and an unclosed quote is found before it swallows the file


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic garbage collector while millions of rows are created.

    Rows contain no cycles, and traversing them again and again takes a quarter of the time.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


DELIMITERS = ",;\t"


def table_lines(path: Path | str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of each line that is neither blank nor a ``#`` comment.

    Byte-order marks, all line endings and blanks after a delimiter are accepted. Quotes are special in comma-separated
    tables only, not in tab-separated ones.

    Raises:
        InputError: the file is missing or not UTF-8, or a quote is not closed on its line.
    """
    return csv_records(path, delimiter, one_per_line=True)


def csv_records(
    path: Path | str, delimiter: str | None = ",", one_per_line: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its last line, fields) of each record; blank ones and ``#`` comments are skipped.

    Args:
        path: the file.
        delimiter: what separates fields; None: the one of ``,``, ``;`` and tab that is most frequent in the header.
        one_per_line: a record must not span lines.

    Raises:
        InputError: the file is missing or not CSV, a record spans lines despite ``one_per_line``, or a field is neither
            UTF-8 nor the name of a file.
    """
    require_file(path)
    first = 1  # line of the record
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            before = list(_through_header(stream)) if delimiter is None else []
            header = before[-1] if before else ""
            lines = _Lines(itertools.chain(before, stream))
            reader = csv.reader(
                lines,
                delimiter=delimiter or max(DELIMITERS, key=header.count),
                skipinitialspace=True,
                quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
            )
            for fields in reader:
                if one_per_line and (lines.exhausted or reader.line_num != first):
                    raise InputError(f"{path}: line {first}: unclosed quote; close it on the same line")
                if lines.exhausted:
                    raise InputError(f"{path}: line {first}: unclosed quote in the record that starts here; close it")
                lines.begins_record = True
                if lines.undecoded:
                    _check_text(fields, f"{path}: line {first}")
                if any(map(str.strip, fields)):
                    yield reader.line_num, fields
                first = reader.line_num + 1
            delimiters = sum(map(header.count, DELIMITERS))
            rows = [n for n, text in lines.comments if delimiters and sum(map(text.count, DELIMITERS)) == delimiters]
            if rows := [number for number in rows if number > len(before)]:
                _log.warning(
                    "%s: skips line %s as a comment; quote its first value if it is a row", path, some(rows, 3)
                )
    except csv.Error as error:
        raise InputError(f"{path}: line {first}: not CSV ({error}); check the quotes from this line on") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


def _check_text(fields: Iterable[str], where: str) -> None:
    """Accept bytes that are not UTF-8 in names of files, which end with a suffix, and in nothing else."""
    for field in fields:
        if not is_text(field) and not _SUFFIX.search(field.rstrip()):
            raise InputError(f"{where}: not UTF-8 text; save the file as UTF-8")


_SUFFIX = re.compile(r"[^/]\.[A-Za-z0-9]{1,5}$")


def _through_header(lines: Iterable[str]) -> Iterator[str]:
    """The lines up to the first that is neither blank nor a comment, included."""
    for line in lines:
        yield line
        if line.strip() and not _is_comment(line):
            return


class _Lines:
    """The lines of a table, for a reader of CSV; comments between records become blank lines, which keeps their number.

    A reader asks for a line only when it needs one, so it gets to the end inside a record only if a quote is open.
    It would return such a record without an error.

    Attributes:
        comments: (line number, line) of the skipped comments.
        exhausted: whether the reader has asked for a line after the last.
        begins_record: whether the next line begins a record; set by whoever has received one.
        undecoded: whether the record has bytes that are not UTF-8.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self.comments = enumerate(lines, start=1), list[tuple[int, str]]()
        self.exhausted, self.begins_record, self.undecoded = False, True, False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            number, line = next(self._lines)
        except StopIteration:
            self.exhausted = True
            raise
        if self.begins_record and _is_comment(line):
            self.comments.append((number, line))
            return "\n"
        self.undecoded = not is_text(line) or (self.undecoded and not self.begins_record)
        self.begins_record = False
        return line


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def header_and_rows(
    path: Path | str, columns: Sequence[str] = (), padded: bool = False
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Read a table with a header, unless its ``columns`` are given: the columns, and (line number, fields) of each row.

    The rows are those of :func:`csv_records`, with as many fields as there are columns and without blanks around them;
    if ``padded``, fields that are missing at the end of a row are empty.

    Raises:
        InputError: as :func:`csv_records`, while rows are read too; a row has more fields than there are columns, or
            fewer if not ``padded`` (names the line).
    """
    records = csv_records(path, "," if columns else None)
    names = list(columns) or [name.strip() for name in next(records, (0, []))[1]]

    def rows() -> Iterator[tuple[int, list[str]]]:
        for line, fields in records:
            while len(fields) > len(names) and not fields[-1].strip():  # as spreadsheets write them
                fields.pop()
            fields += [""] * (len(names) - len(fields)) if padded else []
            if len(fields) != len(names):
                remedy = "quote commas" if len(fields) > len(names) else "leave none out, even if it is empty"
                raise InputError(f"{path}: line {line}: expected {len(names)} fields, not {len(fields)}; {remedy}")
            yield line, [field.strip() for field in fields]

    return names, rows()


def filled_rows(path: Path | str, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: value}) of a table with a header, in which ``columns`` must not be empty.

    Further columns are allowed; ``what`` is the name of this kind of table, for error messages.

    Raises:
        InputError: as :func:`header_and_rows`; the table lacks a column or has no rows, or a required field is empty.
    """
    known, rows = header_and_rows(path, padded=True)
    for column in columns:
        if column not in known:
            found = f", not {some(known, 20)}" if known else ""
            raise InputError(f"{path}: no column {column!r}; {what} has {', '.join(columns)}{found}")
    empty = True
    for line, fields in rows:
        empty, row = False, dict(zip(known, fields, strict=True))
        for column in columns:
            if not row[column]:
                raise InputError(f"{path}: line {line}: {column!r} is empty")
        yield line, row
    if empty:
        raise InputError(f"{path}: the table has a header and no rows; add rows, or give another file")
