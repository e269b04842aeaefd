"""Strict reading of text tables, row by row: every error names the file and the line.

The rows are parsed with the standard library and not with pandas, whose parser silently pads short rows and does not
keep line numbers. On AudioSet's two million segments both take the same time.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.storage import read_text, require_file

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


def table_lines(path: Path | str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of each line that is neither blank nor a ``#`` comment.

    Byte-order marks, all line endings and blanks after a delimiter are accepted. Quotes are special in comma-separated
    tables only, not in tab-separated ones.

    Raises:
        InputError: the file is missing or not UTF-8, or a quote is not closed on its line.
    """
    return csv_records(path, delimiter, one_per_line=True)


def csv_records(path: Path | str, delimiter: str = ",", one_per_line: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its last line, fields) of each record.

    If ``one_per_line``, a record must not span lines, and ``#`` comments are skipped.

    Raises:
        InputError: the file is missing, not UTF-8 or not CSV, or a record spans lines despite ``one_per_line``.
    """
    require_file(path)
    first = 1  # line of the record
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            lines = _Lines(map(_without_comment, stream) if one_per_line else stream)
            reader = csv.reader(
                lines,
                delimiter=delimiter,
                skipinitialspace=True,
                quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
            )
            for fields in reader:
                if one_per_line and (lines.exhausted or reader.line_num != first):
                    raise InputError(f"{path}: line {first}: unclosed quote; close it on the same line")
                if lines.exhausted:
                    raise _unclosed(path, first)
                if fields:
                    yield reader.line_num, fields
                first = reader.line_num + 1
    except csv.Error as error:
        raise _not_csv(path, first, error) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


class _Lines:
    """The lines of a table, for a reader of CSV.

    A reader asks for a line only when it needs one, so it gets to the end inside a record only if a quote is open.
    It would return such a record without an error.

    Attributes:
        exhausted: whether the reader has asked for a line after the last.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self.exhausted = iter(lines), False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            self.exhausted = True
            raise


def _unclosed(path: Path | str, line: int) -> InputError:
    return InputError(f"{path}: line {line}: unclosed quote in the record that starts here; close it")


def _not_csv(path: Path | str, line: int, error: csv.Error) -> InputError:
    return InputError(f"{path}: line {line}: not CSV ({error}); check the quotes from this line on")


def _without_comment(line: str) -> str:
    return "\n" if line.isspace() or line.lstrip().startswith("#") else line


def filled_rows(path: Path | str, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: value}) of a CSV file with a header, in which ``columns`` must not be empty.

    Further columns are allowed; ``what`` is the name of this kind of table, for error messages.

    Raises:
        InputError: the file is missing or not CSV, lacks a column or has no rows; a row has more fields than the header
            or an empty required field (names the line).
    """
    lines, line = _Lines(io.StringIO(read_text(path), newline="")), 0
    reader = csv.DictReader(lines)
    try:
        known = reader.fieldnames or []
        if lines.exhausted and known:
            raise _unclosed(path, 1)
        for column in columns:
            if column not in known:
                raise InputError(f"{path}: no column {column!r}; {what} has {', '.join(columns)}")
        header = line = reader.line_num
        for row in reader:
            if lines.exhausted:
                raise _unclosed(path, line + 1)
            line = reader.line_num
            if any(map(str.strip, row.pop(None, []))):
                fields = len(reader.fieldnames or ())
                raise InputError(f"{path}: line {line}: more fields than the {fields} of the header; quote commas")
            for column in columns:
                if not (row[column] or "").strip():
                    raise InputError(f"{path}: line {line}: {column!r} is empty")
            yield line, row
    except csv.Error as error:
        raise _not_csv(path, line + 1, error) from error
    if line == header:
        raise InputError(f"{path}: the table has a header and no rows; add rows, or give another file")
