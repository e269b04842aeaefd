"""Tables of rows that verbs write and read again: whole CSV files, and records that grow a row at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from dplass_cli.errors import InputError
from dplass_cli.storage import atomic_path, write_text, writing_to


def write_rows(
    path: Path | str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]], key: str | None = None
) -> None:
    """Write a CSV file with a header, atomically; every row holds exactly ``columns``.

    Args:
        key: makes it a whole record, as :class:`Records` goes on with.
    """
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        stream.write("" if key is None else f"# {key}\n")
        writer = _writer(stream, list(columns))
        writer.writeheader()
        writer.writerows(rows)


class Records:
    """An append-only CSV record: each write flushed; a torn last row is dropped when it is opened again.

    The first two lines are a comment with a key and the header. The key says what the rows depend on (hashes of
    inputs, settings): a record with another key is begun anew, so that a resumed run never mixes two runs' rows.
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
        write_text(self.path, kept)
        self._stream = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115 (closed in __exit__)
        self._writer = _writer(self._stream, self.columns)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows in one write, so that a kill leaves at most one torn line at the end."""
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
    """Read the whole rows of a record that :class:`Records` wrote; None where it is absent or has another key.

    Raises:
        InputError: a row before the last is damaged.
    """
    whole = _whole_text(Path(path))
    return csv_rows(whole.partition("\n")[2], path) if whole.startswith(_head(key, columns)) else None


class _Lines:
    """Ends lines with a line feed alone; the writer, which believes in both, quotes either within a text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        return self._stream.write(line.removesuffix("\r\n") + "\n")


def _writer(stream: TextIO, columns: list[str]) -> csv.DictWriter[str]:
    return csv.DictWriter(_Lines(stream), fieldnames=columns, lineterminator="\r\n")


def _head(key: str, columns: Iterable[str]) -> str:
    return f"# {key}\n{','.join(columns)}\n"


def csv_rows(text: str, path: Path | str) -> list[dict[str, str]]:
    """The rows of a CSV text with a header that a verb wrote to ``path``.

    Raises:
        InputError: a row has not as many fields as the header.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error}); delete the file and run again") from error
    columns = set(reader.fieldnames or ())
    for number, row in enumerate(rows, start=1):
        if row.keys() != columns or None in row.values():
            raise InputError(f"{path}: row {number} is damaged; delete it, or the file, and run again")
    return rows


def _whole_text(path: Path) -> str:
    """The text of a record up to its last whole row; empty where there is none.

    A line break between quotes ends no row.
    """
    text = path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""
    end = text.rfind("\n") + 1
    quotes = text.count('"', 0, end)
    while quotes % 2:
        before = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', before, end)
        end = before
    return text[:end]
