"""Manifests: the field's ``{"data": [{"wav": …, "caption": …}]}`` JSON, which most verbs read or write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from dplass_cli.data.csv_tables import MAX_SECONDS, collector_paused
from dplass_cli.errors import InputError, shown
from dplass_cli.file_names import existing_path, is_text, with_slashes
from dplass_cli.shards.addresses import address, is_remote, located
from dplass_cli.shards.remote_files import read_remote_text
from dplass_cli.storage import atomic_path, read_text, require_no_surrogates

WEIGHT = "sampling_weight"
"""The key of :attr:`Row.weight`."""

_MAX_WEIGHT = 1e12


@dataclass(frozen=True, slots=True)
class Row:
    """One clip with one caption.

    Attributes:
        wav: the audio file, or a clip in a shard (:mod:`~dplass_cli.shards.addresses`).
        caption: the sounds in it.
        labels: AudioSet machine ids, where known.
        id: the clip's name in its corpus; clips with the same id are the same recording.
        start: seconds in the file.
        end: seconds in the file; None for its end.
        weight: how often training draws it as a target, relative to other clips.
        source: where it comes from: ``generated``, or the manifest that it was merged from; empty: not known.
    """

    wav: Path
    caption: str
    labels: tuple[str, ...] = ()
    id: str = ""
    start: float = 0.0
    end: float | None = None
    weight: float = 1.0
    source: str = ""


def read_manifest(path: Path | str) -> list[Row]:
    """Read a manifest from disk or an address; ``wav`` paths, relative to the manifest's folder, become absolute.

    A file whose name has its accents encoded in another way is found (:func:`~dplass_cli.file_names.existing_path`).

    A row without ``id`` gets the name of its file, or its path where files in several folders share a name.

    Raises:
        InputError: not a manifest, no rows, or a row without a usable ``wav`` or ``caption`` (names the row).
    """
    path = Path(path)
    text = _text(path)
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected JSON")
    with collector_paused():
        try:
            content = json.loads(text, object_hook=_RowReader(Path(address(path.parent))))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not valid JSON ({error}); repair it or write it again") from error
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise InputError(f'{path}: not a manifest; expected {{"data": [{{"wav": …, "caption": …}}, …]}}')
    if not rows:
        raise InputError(f"{path}: the manifest has no rows")
    for index, row in enumerate(rows):
        if not isinstance(row, Row):
            problem = row if isinstance(row, InputError) else " is not an object with 'wav' and 'caption'"
            raise InputError(f"{path}: row {index}{problem}")
    if "\\ud" in text or "\\uD" in text:
        require_no_surrogates([(str(row.wav), row.id) for row in rows], text, path)
        for index, row in enumerate(rows):
            if not all(map(is_text, (row.caption, *row.labels))):
                raise InputError(f"{path}: row {index}: the caption or a label contains a lone surrogate; replace it")
    _name(rows)
    return rows


def row_values(path: Path | str, key: str) -> list[str]:
    """The values of a further key, such as ``device``, of the rows of a manifest that can be read; "" without it."""
    values = [item.get(key) for item in json.loads(_text(path))["data"]]
    return ["" if value is None else str(value) for value in values]


def _text(path: Path | str) -> str:
    path = Path(path)
    return read_remote_text(path) if is_remote(path) else read_text(path)


def _name(rows: list[Row]) -> None:
    """Give ids to rows without: the name of the file, or its path below the common folder where files share a name."""
    unnamed = [index for index, row in enumerate(rows) if not row.id]
    files: dict[str, Path] = {}
    shared = {
        row.wav.stem for row in map(rows.__getitem__, unnamed) if files.setdefault(row.wav.stem, row.wav) != row.wav
    }
    try:
        top = os.path.commonpath({rows[index].wav.parent for index in unnamed}) if shared else ""
    except ValueError:  # they are on several drives of Windows
        top = ""
    for index in unnamed:
        wav = rows[index].wav
        path = with_slashes(os.path.relpath(wav, top) if top else str(wav))
        name = path.removesuffix(wav.suffix) if wav.stem in shared else wav.stem
        rows[index] = replace(rows[index], id=name)


class _RowReader:
    """Makes a row of each JSON object as soon as it is decoded, so that millions of rows are never in memory twice.

    An object with a wrong value becomes an error, which is raised when the number of its row is known. Each caption and
    label set is kept once, however many rows have it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Any, Any] = {}

    def __call__(self, item: dict[str, Any]) -> Any:
        given = item.keys() & {"wav", "caption"}
        if not given or (len(given) == 1 and "data" in item):
            return item  # not a row
        try:
            return self._row(item)
        except InputError as error:
            return error

    def _row(self, item: dict[str, Any]) -> Row:
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
        weight = item.get(WEIGHT, 1.0)
        if not (isinstance(weight, (int, float)) and not isinstance(weight, bool) and 0 <= weight <= _MAX_WEIGHT):
            raise InputError(f": {WEIGHT!r} must be a number from 0 to {_MAX_WEIGHT:g}, not {shown(weight)}")
        return Row(
            wav=existing_path(located(self._folder, item["wav"])),
            caption=self._once(item["caption"].strip()),
            labels=self._once(tuple(map(self._once, labels))),
            id="" if item.get("id") is None else str(item["id"]),
            start=float(start),
            end=None if end is None else float(end),
            weight=float(weight),
            source=self._once(str(item.get("source") or "")),
        )

    def _once(self, value: Any) -> Any:
        return self._known.setdefault(value, value)


def _seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_SECONDS


def write_manifest(path: Path | str, rows: Iterable[Row]) -> None:
    """Write a manifest atomically, with absolute ``wav`` paths, so that the manifest can be moved."""
    write_items(path, map(row_item, rows))


def write_items(path: Path | str, items: Iterable[Mapping[str, Any]]) -> int:
    """Write a manifest atomically, one line per item, and return the number of items.

    Names that are not UTF-8 are written as escapes (:func:`~dplass_cli.storage.write_text`).

    Values are texts, finite numbers and tuples of texts; ``wav`` must be absolute, or relative to the manifest.
    """
    count = 0
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream,
    ):
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
    item = manifest_item(address(row.wav), row.caption, row.labels, row.id, row.start, row.end)
    if row.weight != 1:
        item[WEIGHT] = row.weight
    if row.source:
        item["source"] = row.source
    return item


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
