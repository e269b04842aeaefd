"""The manifest: the field's ``{"data": [{"wav": …, "caption": …}]}`` JSON that passes between the verbs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError
from dplass_cli.storage import read_json, write_json


@dataclass(frozen=True)
class Row:
    """One clip with one caption.

    Attributes:
        wav: the audio file.
        caption: what sounds in it.
        labels: AudioSet machine ids, where known.
        id: the clip's name in its corpus; clips with the same id are the same recording.
        start, end: seconds inside the file; ``end`` None means up to its end.
    """

    wav: Path
    caption: str
    labels: tuple[str, ...] = ()
    id: str = ""
    start: float = 0.0
    end: float | None = None


def read_manifest(path: Path | str) -> list[Row]:
    """Read a manifest; relative ``wav`` paths are relative to the manifest's folder.

    Raises:
        InputError: not a manifest, no rows, or a row without a usable ``wav`` or ``caption`` (says which row).
    """
    path = Path(path)
    content = read_json(path)
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise InputError(f'{path}: not a manifest; expected {{"data": [{{"wav": …, "caption": …}}, …]}}')
    if not rows:
        raise InputError(f"{path}: the manifest has no rows")
    folder = path.parent
    return [_row(item, f"{path}: row {index}", folder) for index, item in enumerate(rows)]


def _row(item: Any, where: str, folder: Path) -> Row:
    if not isinstance(item, dict):
        raise InputError(f"{where} is not an object with 'wav' and 'caption'")
    for key in ("wav", "caption"):
        if key not in item:
            raise InputError(f"{where} has no {key!r}; every row needs 'wav' and 'caption'")
        if not isinstance(item[key], str) or not item[key].strip():
            raise InputError(f"{where}: {key!r} must be a text that is not empty, not {item[key]!r}")
    labels = item.get("labels", [])
    if isinstance(labels, str):  # some writers of this form join them
        labels = [label.strip() for label in labels.split(",") if label.strip()]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where}: 'labels' must be a list of machine ids")
    start, end = item.get("start", 0.0), item.get("end")
    if not _seconds(start) or (end is not None and not (_seconds(end) and end > start)):
        raise InputError(f"{where}: 'start' and 'end' must be seconds with 0 <= start < end, not {start!r} and {end!r}")
    return Row(
        wav=folder / item["wav"],  # an absolute wav replaces the folder
        caption=item["caption"].strip(),
        labels=tuple(labels),
        id=str(item.get("id") or Path(item["wav"]).stem),
        start=float(start),
        end=None if end is None else float(end),
    )


def _seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


def write_manifest(path: Path | str, rows: Iterable[Row]) -> None:
    """Write a manifest atomically, with absolute ``wav`` paths, so that it may be moved."""
    write_json(path, {"data": [_item(row) for row in rows]})


def _item(row: Row) -> dict[str, Any]:
    item: dict[str, Any] = {"wav": os.path.abspath(row.wav), "caption": row.caption}
    if row.labels:
        item["labels"] = list(row.labels)
    item["id"] = row.id
    if row.start or row.end is not None:
        item["start"] = row.start
    if row.end is not None:
        item["end"] = row.end
    return item
