"""``items.csv``: scores appended as they are computed, shared among processes, merged exactly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.evaluation.scores import COLUMNS, ItemScore
from dplass_cli.records import Records, read_records, write_rows
from dplass_cli.storage import locked

ITEMS = "items.csv"

Hashes = Callable[[Collection[str]], Mapping[str, str]]


class ItemRecords:
    """The known scores of (item, run) pairs: from this process's file and from those of other processes.

    Scores with an ``error`` stand for items that could not be read; the next run tries these again. Values are rounded
    as in the file, so that a resumed evaluation gives the same results as an uninterrupted one. Several processes write
    ``parts/items-RANK-of-WORLD.csv`` each.

    Args:
        folder: the evaluation folder.
        key: what the scores depend on; the first line of every file.
        hashes: {item: current hash of its audio} for names of items. Scores of audio that has changed are not known.
        rank: number of this process.
        world: how many processes share the items.
        kind: of the scores; its fields are the columns.

    Attributes:
        known: {(item, run): score}.
        failed: {item: why it could not be read}.

    Raises:
        InputError: the folder holds scores under another key.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        hashes: Hashes,
        rank: int = 0,
        world: int = 1,
        kind: type[ItemScore] = ItemScore,
    ) -> None:
        self.folder, self.key, self._kind = folder, key, kind
        self.known: dict[tuple[str, str], ItemScore] = {}
        self.failed: dict[str, str] = {}
        self._alone = world == 1
        self._outdated: set[tuple[str, str]] = set()  # (item, hash of the audio that it had)
        measured = {(score.idx, score.sha256) for score in self._read() if not score.error}
        # Hashing takes minutes on a large benchmark, so it is done before the lock that other processes wait for.
        current = hashes({idx for idx, _ in measured})
        self._outdated = {(idx, sha256) for idx, sha256 in measured if current.get(idx, sha256) != sha256}
        own = folder / ITEMS if self._alone else folder / "parts" / f"items-{rank}-of-{world}.csv"
        with locked(folder / ".lock"):
            for path in [folder / ITEMS, *self._parts()]:
                if path.is_file() and read_records(path, kind.columns(), key) is None:
                    raise InputError(
                        f"{folder}: contains an evaluation of other models, items or settings; give another --output or"
                        " delete it"
                    )
            self._take(self._read())
            self._write(own, [score for score in self._read_file(own) if self._is_current(score)])
        self.failed = {}
        self._record = Records(own, kind.columns(), key)

    def append(self, scores: Sequence[ItemScore]) -> None:
        """Add scores that are not known yet; they are in the file when this returns."""
        rows = [score.to_row() for score in scores if (score.idx, score.run) not in self.known]
        self._record.append(rows)
        added = [self._kind.from_row(row, self._record.path) for row in rows]
        self._outdated -= {(score.idx, score.sha256) for score in added}
        self._take(added)

    def merge(self, wanted: Mapping[str, Sequence[str]]) -> bool:
        """Collect the scores of all processes, and write ``items.csv`` in order if they are complete: whether they are.

        ``wanted`` is {item: runs}. Each run must have a score, unless the item could not be read.
        """
        with locked(self.folder / ".lock"):
            self._take(self._read())
            missing = [idx for idx, runs in wanted.items() if any((idx, run) not in self.known for run in runs)]
            if any(idx not in self.failed for idx in missing):
                return False
            self.failed = {idx: self.failed[idx] for idx in missing}
            first = [(idx, run) for idx, runs in wanted.items() for run in runs if (idx, run) in self.known]
            others = sorted(self.known.keys() - set(first))
            failed = [self._kind.failed(idx, reason) for idx, reason in self.failed.items()]
            self._write(self.folder / ITEMS, [*map(self.known.__getitem__, [*first, *others]), *failed])
        return True

    def __enter__(self) -> ItemRecords:
        return self

    def __exit__(self, *exc: object) -> None:
        self._record.__exit__(*exc)

    def _read(self) -> Iterator[ItemScore]:
        # Items that an earlier run could not read are tried again; with several processes this run's failures are in
        # their parts.
        yield from (score for score in self._read_file(self.folder / ITEMS) if self._alone or not score.error)
        for path in self._parts():
            yield from self._read_file(path)

    def _read_file(self, path: Path) -> list[ItemScore]:
        return [self._kind.from_row(row, path) for row in read_records(path, self._kind.columns(), self.key) or []]

    def _write(self, path: Path, scores: Iterable[ItemScore]) -> None:
        write_rows(path, self._kind.columns(), (score.to_row() for score in scores), self.key)

    def _parts(self) -> list[Path]:
        return sorted((self.folder / "parts").glob("items-*.csv"))

    def _is_current(self, score: ItemScore) -> bool:
        return not score.error and (score.idx, score.sha256) not in self._outdated

    def _take(self, scores: Iterable[ItemScore]) -> None:
        for score in scores:
            if score.error:
                self.failed[score.idx] = score.error
            elif self._is_current(score):
                self.known.setdefault((score.idx, score.run), score)


def read_item_scores(folder: Path) -> list[ItemScore]:
    """Read the scores of a finished evaluation of any kind, without those of items that could not be read.

    Raises:
        InputError: there are none, or they are damaged.
    """
    path = folder / ITEMS
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            key = stream.readline().removesuffix("\n").removeprefix("# ")
            columns = tuple(stream.readline().removesuffix("\n").split(","))
    except OSError as error:
        raise InputError(f"{path}: cannot read the items of the evaluation ({error.strerror})") from error
    rows = read_records(path, columns, key)
    if rows is None or columns[: len(COLUMNS)] != COLUMNS:
        raise InputError(f"{path}: not the items of an evaluation of this version; evaluate again")
    return [ItemScore.from_row(row, path) for row in rows if not row["error"]]
