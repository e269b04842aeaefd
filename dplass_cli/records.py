"""CSV files that verbs write and read again: whole tables, and records that grow row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dplass_cli.errors import InputError
from dplass_cli.storage import atomic_path, write_text, writing_to

if TYPE_CHECKING:
    import pandas as pd


def write_rows(
    path: Path | str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]], key: str | None = None
) -> None:
    """Write rows as a CSV file with a header, atomically.

    The rows are written as they come, by the standard library: pandas would hold all of them in memory, and turn
    columns of integers with empty values into floats.

    With a ``key``, the file is a record that :class:`Records` can continue.
    """
    with atomic_path(path) as temporary, _open_table(temporary, "w") as stream:
        stream.write("" if key is None else f"# {key}\n")
        writer = _writer(stream, list(columns))
        writer.writeheader()
        writer.writerows(rows)


def write_frames(path: Path | str, frames: Iterable[pd.DataFrame]) -> None:
    """Write data frames with the same columns, one below the other, as one CSV file with a header, atomically."""
    with atomic_path(path) as temporary, _open_table(temporary, "w") as stream:
        for number, frame in enumerate(frames):
            frame.to_csv(_LineFeeds(stream), header=number == 0, index=False, lineterminator="\r\n")


class Records:
    """An append-only CSV file: each write is flushed, and an incomplete last row is dropped when it is opened again.

    The first two lines are a comment with a key, and the header. The key identifies what the rows depend on (hashes of
    inputs, settings). A file with another key is started over, so that a resumed run never mixes the rows of two runs.

    Args:
        path: the file.
        columns: the header.
        key: identifies the run.

    Attributes:
        rows: the complete rows, as texts.
    """

    def __init__(self, path: Path | str, columns: Iterable[str], key: str) -> None:
        self.path = Path(path)
        self.columns = list(columns)
        self.rows: list[dict[str, str]] = []
        head = _head(key, self.columns)
        whole = _whole_text(self.path)
        kept = whole if whole.startswith(head) else head
        if kept is whole:
            self.rows = csv_rows(whole.partition("\n")[2], self.path)
        write_text(self.path, kept, errors=_NAMES)
        self._stream = _open_table(self.path, "a")  # closed in __exit__
        self._writer = _writer(self._stream, self.columns)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows in one write, so that a killed process leaves at most one incomplete line at the end."""
        new = [{column: str(row[column]) for column in self.columns} for row in rows]
        with writing_to(self.path):
            self._writer.writerows(new)
            self._stream.flush()
        self.rows += new

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()


def read_records(path: Path | str, columns: Iterable[str], key: str) -> list[dict[str, str]] | None:
    """Read the complete rows of a file that :class:`Records` wrote; None where there is none, or it has another key.

    Raises:
        InputError: a row before the last is damaged.
    """
    whole = _whole_text(Path(path))
    return csv_rows(whole.partition("\n")[2], path) if whole.startswith(_head(key, columns)) else None


_NAMES = "surrogateescape"  # tables contain names of files, whose bytes need not be UTF-8


def _open_table(path: Path, mode: str) -> TextIO:
    return open(path, mode, encoding="utf-8", errors=_NAMES, newline="")  # type: ignore[return-value]


class _LineFeeds:
    """Ends lines with a line feed only.

    The CSV writer is told that lines end with a carriage return and a line feed, because it quotes values that contain
    a character of the line ending, and readers take either as the end of a row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        return self._stream.write(line.removesuffix("\r\n") + "\n")


def _writer(stream: TextIO, columns: list[str]) -> csv.DictWriter[str]:
    return csv.DictWriter(_LineFeeds(stream), fieldnames=columns, lineterminator="\r\n")


def _head(key: str, columns: Iterable[str]) -> str:
    return f"# {key}\n{','.join(columns)}\n"


def csv_rows(text: str, path: Path | str) -> list[dict[str, str]]:
    """Parse a CSV text with a header, which a verb wrote to ``path``, into rows of texts.

    Raises:
        InputError: not CSV, or a row has more or fewer fields than the header.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error}); delete the file and rerun") from error
    columns = set(reader.fieldnames or ())
    for number, row in enumerate(rows, start=1):
        if row.keys() != columns or None in row.values():
            raise InputError(f"{path}: row {number} is damaged; delete the row or the file and rerun")
    return rows


def _whole_text(path: Path) -> str:
    """Return the text of a file up to the end of its last complete row; empty where there is none.

    A line break inside quotes does not end a row.
    """
    text = path.read_bytes().decode("utf-8", errors=_NAMES) if path.is_file() else ""
    end = text.rfind("\n") + 1
    quotes = text.count('"', 0, end)
    while quotes % 2:
        before = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', before, end)
        end = before
    return text[:end]
