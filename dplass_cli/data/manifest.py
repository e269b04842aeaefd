"""Manifests: the field's ``{"data": [{"wav": …, "caption": …}]}`` JSON, which most verbs read or write."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from dplass_cli.data.csv_tables import MAX_SECONDS, collector_paused
from dplass_cli.errors import InputError
from dplass_cli.storage import atomic_path, read_text, require_no_surrogates


@dataclass(frozen=True, slots=True)
class Row:
    """One clip with one caption.

    Attributes:
        wav: the audio file.
        caption: the sounds in it.
        labels: AudioSet machine ids, where known.
        id: the clip's name in its corpus; clips with the same id are the same recording.
        start: seconds in the file.
        end: seconds in the file; None for its end.
    """

    wav: Path
    caption: str
    labels: tuple[str, ...] = ()
    id: str = ""
    start: float = 0.0
    end: float | None = None


def read_manifest(path: Path | str) -> list[Row]:
    """Read a manifest; ``wav`` paths, relative to the manifest's folder, become absolute.

    The JSON is decoded row by row, so that millions of rows are never in memory twice. A row without ``id`` gets the
    name of its file, with as many folders as distinguish it from other files of that name.

    Raises:
        InputError: not a manifest, no rows, or a row without a usable ``wav`` or ``caption`` (names the row).
    """
    path = Path(path)
    folder, shared = Path(os.path.abspath(path.parent)), _Interned()
    rows: list[Row] = []
    unnamed: list[int] = []
    with collector_paused():
        for index, item in enumerate(_items(path)):
            rows.append(_row(item, f"{path}: row ", index, folder, shared))
            if not item.get("id"):
                unnamed.append(index)
    if not rows:
        raise InputError(f"{path}: the manifest has no rows")
    _distinguish(rows, unnamed)
    return rows


def _distinguish(rows: list[Row], unnamed: list[int]) -> None:
    """Give files with the same name in different folders different ids: their paths below the common folder."""
    files: dict[str, Path] = {}
    shared = {row.id for row in map(rows.__getitem__, unnamed) if files.setdefault(row.id, row.wav) != row.wav}
    if not shared:
        return
    top = os.path.commonpath({rows[index].wav.parent for index in unnamed})
    for index in unnamed:
        row = rows[index]
        if row.id in shared:
            rows[index] = replace(row, id=os.path.relpath(row.wav, top).removesuffix(row.wav.suffix))


def _items(path: Path) -> Iterator[Any]:
    """Yield the items of the list ``data`` of a JSON object, one after the other."""
    text = read_text(path)
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected JSON")
    try:
        # Decoding the whole text at once would hold every row twice. It is done for the error message only.
        place = _data_list(text)
        if place is None:
            json.loads(text)
            raise InputError(f'{path}: not a manifest; expected {{"data": [{{"wav": …, "caption": …}}, …]}}')
        closing, halves = False, "\\ud" in text or "\\uD" in text
        while text[place : place + 1] != "]":
            if closing:
                place = _after(text, place, ",")
            item, place = _DECODER.raw_decode(text, place)
            if halves:
                require_no_surrogates(item, text, path)
            yield item
            place, closing = _skip_blanks(text, place), True
        _require_end(text, place + 1)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); repair it or write it again") from error


_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\n\r]*")


def _skip_blanks(text: str, place: int) -> int:
    blanks = _BLANKS.match(text, place)
    assert blanks is not None, "no blanks match too"
    return blanks.end()


def _after(text: str, place: int, sign: str) -> int:
    """Return the position after a character and the blanks that follow it."""
    if text[place : place + 1] != sign:
        raise json.JSONDecodeError(f"Expecting {sign!r} delimiter", text, place)
    return _skip_blanks(text, place + 1)


def _data_list(text: str) -> int | None:
    """Return the position of the first item of an object's list ``data``; None if there is no such list."""
    place = _skip_blanks(text, 0)
    if text[place : place + 1] != "{":
        return None
    place = _skip_blanks(text, place + 1)
    while text[place : place + 1] == '"':
        key, place = _DECODER.raw_decode(text, place)
        place = _after(text, _skip_blanks(text, place), ":")
        if key == "data":
            return _skip_blanks(text, place + 1) if text[place : place + 1] == "[" else None
        _, place = _DECODER.raw_decode(text, place)
        place = _skip_blanks(text, place)
        if text[place : place + 1] != ",":
            return None
        place = _skip_blanks(text, place + 1)
    return None


def _require_end(text: str, place: int) -> None:
    """Check that valid JSON follows the rows: the other members of the object, which are ignored."""
    json.loads('{"data": []' + text[place:])


class _Interned:
    """Keeps each caption and label set once, however many rows have it."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def text(self, value: str) -> str:
        known: str = self._known.setdefault(value, value)
        return known

    def texts(self, values: Iterable[str]) -> tuple[str, ...]:
        key = tuple(map(self.text, values))
        known: tuple[str, ...] = self._known.setdefault(key, key)
        return known


def _row(item: Any, where: str, index: int, folder: Path, shared: _Interned) -> Row:
    try:
        return _checked_row(item, folder, shared)
    except InputError as error:
        raise InputError(f"{where}{index}{error}") from None


def _checked_row(item: Any, folder: Path, shared: _Interned) -> Row:
    if not isinstance(item, dict):
        raise InputError(" is not an object with 'wav' and 'caption'")
    for key in ("wav", "caption"):
        if key not in item:
            raise InputError(f" has no {key!r}; every row needs 'wav' and 'caption'")
        if not isinstance(item[key], str) or not item[key].strip():
            raise InputError(f": {key!r} must be a text that is not empty, not {item[key]!r}")
    labels = item.get("labels", [])
    if isinstance(labels, str):  # some programs write them joined
        labels = [label.strip() for label in labels.split(",") if label.strip()]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(": 'labels' must be a list of machine ids")
    start, end = item.get("start", 0.0), item.get("end")
    if not _seconds(start) or (end is not None and not (_seconds(end) and end > start)):
        raise InputError(f": 'start' and 'end' must be seconds with 0 <= start < end, not {start!r} and {end!r}")
    return Row(
        wav=folder / item["wav"],  # an absolute wav replaces the folder
        caption=shared.text(item["caption"].strip()),
        labels=shared.texts(labels),
        id=str(item.get("id") or Path(item["wav"]).stem),
        start=float(start),
        end=None if end is None else float(end),
    )


def _seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_SECONDS


def write_manifest(path: Path | str, rows: Iterable[Row]) -> None:
    """Write a manifest atomically, with absolute ``wav`` paths, so that the manifest can be moved."""
    write_items(path, map(row_item, rows))


def write_items(path: Path | str, items: Iterable[Mapping[str, Any]]) -> int:
    """Write a manifest atomically, one line per item, and return the number of items.

    Values are texts, finite numbers and tuples of texts; ``wav`` must be an absolute path.
    """
    count = 0
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"data": [')
        for count, item in enumerate(items, start=1):
            stream.write(("\n" if count == 1 else ",\n") + _line(item))
        stream.write("\n]}\n")
    return count


_quoted = json.encoder.encode_basestring
_encoded = lru_cache(maxsize=1 << 16)(json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode)


def _line(item: Mapping[str, Any]) -> str:
    """Encode a flat item as JSON, in a third of the encoder's time: most values are texts, and label sets repeat."""
    members = [
        f'"{key}": {_quoted(value) if isinstance(value, str) else _encoded(value)}' for key, value in item.items()
    ]
    return f"{{{', '.join(members)}}}"


def row_item(row: Row) -> dict[str, Any]:
    """Return a row as an item for :func:`write_items`."""
    return manifest_item(os.path.abspath(row.wav), row.caption, row.labels, row.id, row.start, row.end)


def manifest_item(
    wav: str, caption: str, labels: tuple[str, ...], id: str, start: float, end: float | None
) -> dict[str, Any]:
    """Return an item of a manifest from the attributes of a :class:`Row`; empty ones are omitted."""
    item: dict[str, Any] = {"wav": wav, "caption": caption}
    if labels:
        item["labels"] = labels
    item["id"] = id
    if start or end is not None:
        item["start"] = start
    if end is not None:
        item["end"] = end
    return item
