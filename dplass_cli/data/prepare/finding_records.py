"""Findings of checked clips on disk, so that an interrupted check continues and several processes share one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.prepare_options import Check, ClipLimits
from dplass_cli.records import Records, read_records
from dplass_cli.storage import make_folder

_COLUMNS = ("path", "start", "end", "size", "modified_ns", "fault", "seconds", "sample_rate", "channels", "note")


class FindingRecords:
    """What a check has found in clips whose files are unchanged; each process appends to a file of its own.

    Args:
        folder: of the files.
        check: the check; findings of another one, or with other limits, are not used.
        limits: of clips.
        share: this process's (rank, number of processes).

    Raises:
        InputError: the folder cannot be made, or a file is damaged.
    """

    def __init__(self, folder: Path, check: Check, limits: ClipLimits, share: tuple[int, int]) -> None:
        key = json.dumps({"check": check, **to_mapping(limits)}, sort_keys=True)
        self._known: dict[SourceRange, dict[str, str]] = {}
        for path in sorted(make_folder(folder).glob("*.csv")):
            for row in read_records(path, _COLUMNS, key) or ():
                end = float(row["end"]) if row["end"] else None
                self._known[SourceRange(row["path"], float(row["start"]), end)] = row
        self._own = Records(folder / f"{share[0]}-of-{share[1]}.csv", _COLUMNS, key)

    def get(self, clip: SourceRange) -> tuple[Any, ...] | None:
        """The values of a clip's finding; None if there is none, or its file has changed since."""
        row = self._known.get(clip)
        if row is None or _state(clip) != (row["size"], row["modified_ns"]):
            return None
        return row["fault"] or None, float(row["seconds"]), int(row["sample_rate"]), int(row["channels"]), row["note"]

    def append(self, found: Iterable[tuple[SourceRange, tuple[Any, ...]]]) -> None:
        """Keep findings of clips, which are on the disk when this returns."""
        rows = []
        for clip, (fault, seconds, rate, channels, note) in found:
            size, modified = _state(clip)
            end = "" if clip.end is None else clip.end
            values = (clip.path, clip.start, end, size, modified, fault or "", seconds, rate, channels, note)
            rows.append(dict(zip(_COLUMNS, values, strict=True)))
        self._own.append(rows)

    def __enter__(self) -> FindingRecords:
        return self

    def __exit__(self, *exc: object) -> None:
        self._own.__exit__(*exc)


def _state(clip: SourceRange) -> tuple[str, str]:
    """Size and time of change of a clip's file; empty if it cannot be looked at."""
    try:
        state = Path(clip.path).stat()
    except OSError:
        return "", ""
    return str(state.st_size), str(state.st_mtime_ns)
