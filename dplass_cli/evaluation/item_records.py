"""The rows of an evaluation on the disk: appended as it goes, shared among processes, merged exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.evaluation.items import Item
from dplass_cli.records import Records, csv_rows, read_records, write_rows
from dplass_cli.storage import locked, read_text

ITEMS, CHOICES, RESULTS = "items.csv", "choices.csv", "results.json"
FORMAT = "dplass-evaluation-1"
METRICS = ("sdr", "sdri", "si_sdr", "si_sdri", "bss_sdr", "similarity", "level_db")
COLUMNS = ("idx", "query", "adapter", "sha256", "sdr_mixture", *METRICS, "seconds", "error")

Row = Mapping[str, str]
Hashes = Callable[[Collection[str]], Mapping[str, str]]


@dataclass(frozen=True)
class ProcessShare:
    """Which of how many processes this is."""

    rank: int = 0
    world: int = 1


class Rows:
    """What is known of (item, run) pairs: of this process's record and of those of others.

    A row holds what one run (the base, an adapter, a blend) reached on one item. A row with an ``error`` stands for an
    item that could not be read; such items are tried again by the next run.

    It is a context, at whose end the record is closed.

    Args:
        folder: the evaluation folder. key: what rows depend on. share: this process.
        hashes: gives {item: the hash of its audio now} for names of items, where it can; rows of other audio are not
            known.

    Raises:
        InputError: the folder holds the rows of another evaluation.
    """

    def __init__(self, folder: Path, key: str, share: ProcessShare, hashes: Hashes) -> None:
        self.folder, self.key, self.share = folder, key, share
        self.known: dict[tuple[str, str], Row] = {}
        self.failed: dict[str, str] = {}
        self._outdated: set[tuple[str, str]] = set()  # (item, hash of audio that it had)
        heard = {(row["idx"], row["sha256"]) for row in self._rows() if not row["error"]}
        now = hashes({idx for idx, _ in heard})  # long before the lock, which others wait for
        self._outdated = {(idx, sha256) for idx, sha256 in heard if now.get(idx, sha256) != sha256}
        own = _part(folder, share)
        with locked(folder / ".lock"):
            for path in [folder / ITEMS, *_parts(folder)]:
                if path.is_file() and read_records(path, COLUMNS, key) is None:
                    raise InputError(
                        f"{folder}: holds an evaluation of other models, items or settings; give another --output or"
                        " delete it"
                    )
            self._collect()
            kept = [row for row in read_records(own, COLUMNS, key) or [] if self._counts(row)]
            write_rows(own, COLUMNS, kept, key)
        self.failed = {}
        self._record = Records(own, COLUMNS, key)

    def append(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Keep the rows that are not known yet; they are in the file when this returns."""
        new = [row for row in rows if (row["idx"], row["adapter"]) not in self.known]
        self._record.append(new)
        measured = self._record.rows[len(self._record.rows) - len(new) :]
        self._outdated -= {(row["idx"], row["sha256"]) for row in measured}
        self._take(measured)

    def merge(self, wanted: Mapping[str, Sequence[str]]) -> bool:
        """Gather the rows of all processes, and write them in order where they are complete.

        Args:
            wanted: {item: runs}; complete is what has a row for each, or whose item could not be read.
        """
        with locked(self.folder / ".lock"):
            self._collect()
            missing = [idx for idx, runs in wanted.items() if any((idx, run) not in self.known for run in runs)]
            if any(idx not in self.failed for idx in missing):
                return False
            self.failed = {idx: self.failed[idx] for idx in missing}
            rows = [*self._in_order(wanted), *(error_row(idx, reason) for idx, reason in self.failed.items())]
            write_rows(self.folder / ITEMS, COLUMNS, rows, self.key)
        return True

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *exc: object) -> None:
        self._record.__exit__(*exc)

    def _in_order(self, wanted: Mapping[str, Sequence[str]]) -> Iterator[Row]:
        """First the wanted rows as they are wanted, then what is known besides."""
        first = [(idx, run) for idx, runs in wanted.items() for run in runs if (idx, run) in self.known]
        listed = set(first)
        yield from (self.known[pair] for pair in [*first, *sorted(set(self.known) - listed)])

    def _collect(self) -> None:
        self._take(self._rows())

    def _rows(self) -> Iterator[Row]:
        merged = read_records(self.folder / ITEMS, COLUMNS, self.key) or []
        # What a run before this one could not read, this one tries again.
        yield from (row for row in merged if self.share.world == 1 or not row["error"])
        for path in _parts(self.folder):
            yield from read_records(path, COLUMNS, self.key) or []

    def _counts(self, row: Row) -> bool:
        return not row["error"] and (row["idx"], row["sha256"]) not in self._outdated

    def _take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row["error"]:
                self.failed[row["idx"]] = row["error"]
            elif self._counts(row):
                self.known.setdefault((row["idx"], row["adapter"]), row)


def error_row(idx: str, reason: str, query: str = "") -> Row:
    """The row of an item that cannot be read."""
    return dict.fromkeys(COLUMNS, "") | {"idx": idx, "query": query, "error": reason}


def read_items_csv(folder: Path) -> list[Row]:
    """Read the rows of a finished evaluation, errors left out.

    Raises:
        InputError: there are none.
    """
    path = folder / ITEMS
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            key = stream.readline().removesuffix("\n").removeprefix("# ")
    except OSError as error:
        raise InputError(f"{path}: no items of an evaluation ({error.strerror})") from error
    rows = read_records(path, COLUMNS, key)
    if rows is None:
        raise InputError(f"{path}: not the items of an evaluation of this version; evaluate again")
    return [row for row in rows if not row["error"]]


def write_choices(folder: Path, items: Sequence[Item], chosen: Mapping[str, Mapping[str, str]]) -> None:
    """Write what each policy chose for each item, {policy: {item: run}}; empty where it chose nothing."""
    rows = [
        {"idx": item.idx, "group": item.group, **{policy: runs.get(item.idx, "") for policy, runs in chosen.items()}}
        for item in items
    ]
    write_rows(folder / CHOICES, ("idx", "group", *chosen), rows)


def read_choices(folder: Path) -> list[Row]:
    """Read what :func:`write_choices` wrote.

    Raises:
        InputError: it is not there, or damaged.
    """
    return list(csv_rows(read_text(folder / CHOICES), folder / CHOICES))


def number(row: Row, column: str) -> float:
    """A metric of a row; NaN where it has none (a silent reference has no SDR).

    Raises:
        InputError: something else stands there.
    """
    try:
        return float(row[column]) if row[column] else math.nan
    except ValueError as error:
        raise InputError(f"item {row['idx']}: {column} is {row[column]!r}, no number; evaluate again") from error


def _part(folder: Path, share: ProcessShare) -> Path:
    if share.world == 1:
        return folder / ITEMS
    return folder / "parts" / f"items-{share.rank}-of-{share.world}.csv"


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / "parts").glob("items-*.csv"))
