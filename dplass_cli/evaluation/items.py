"""The items of a benchmark: their queries and audio, and whether that audio can be used."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from dplass_cli.audio.reading import Audio, audio_info, read_mono
from dplass_cli.data.csv_tables import filled_rows
from dplass_cli.data.mixture_tables import Mixture, read_mixtures, render
from dplass_cli.errors import InputError, RunError, check_choice, nearest
from dplass_cli.evaluation.benchmarks import Benchmark, find_audio, find_benchmark, find_table
from dplass_cli.file_names import existing_path, is_text
from dplass_cli.shards.shard_store import clip_sha256
from dplass_cli.storage import Progress, no_progress, text_sha256


@dataclass(frozen=True)
class Recorded:
    """A mixture and its reference, each in a file.

    Attributes:
        reference: file of the target alone.
        mixture: file of the mixture.
    """

    reference: Path
    mixture: Path


@dataclass(frozen=True)
class Item:
    """One query on one mixture.

    Attributes:
        idx: its name, unique in the benchmark.
        query: describes the target.
        group: its class; empty without classes.
        audio: two files, or the recipe of a mixture.
    """

    idx: str
    query: str
    group: str
    audio: Recorded | Mixture

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that its audio is read from: reference and mixture, or target and interferers."""
        if isinstance(self.audio, Recorded):
            return self.audio.reference, self.audio.mixture
        return tuple(row.wav for row in self.audio.rows)


@dataclass(frozen=True)
class Loaded:
    """An item's audio.

    Attributes:
        mixture: float32 (T,).
        reference: float32 (T,).
        sha256: as :func:`audio_sha256` returns it.
    """

    mixture: Audio
    reference: Audio
    sha256: str


def find_items(
    name: str,
    data_root: Path | None,
    metadata_csv: Path | None,
    audio_dir: Path | None,
    query: str | None = None,
) -> tuple[Benchmark, Path, list[Item]]:
    """Find a benchmark's table and audio, as given or below a data root: (the benchmark, its table, its items).

    Args:
        metadata_csv: the table, or a folder that holds it.
        audio_dir: the audio; default: below the data root, else the table's folder.
        query: the column of the queries; default: the benchmark's.

    Raises:
        InputError: no such benchmark, table or audio folder, or an unusable table.
    """
    benchmark = find_benchmark(name)
    table = find_table(benchmark, data_root, metadata_csv)
    if audio_dir is None and data_root is not None and benchmark.table is not None:
        audio_dir = find_audio(benchmark, data_root)
    return benchmark, table, read_items(benchmark, table, audio_dir, query)


def read_items(benchmark: Benchmark, table: Path, audio_dir: Path | None, query: str | None = None) -> list[Item]:
    """Read a benchmark's table; the audio folder is the table's by default, the column of queries the benchmark's.

    Raises:
        InputError: the file is missing, lacks a column or has no rows; a row has no query; two rows have one name.
    """
    column = query or benchmark.query
    check_choice("--query-column", column, [benchmark.query, *benchmark.queries])
    if benchmark.mixing:
        mixtures = read_mixtures(table, audio_dir)
        items = [Item(mixture.idx, mixture.source.caption, mixture.source.caption, mixture) for mixture in mixtures]
    else:
        items = _read_recorded(benchmark, table, audio_dir or table.parent, column)
    # Results are grouped by idx with pandas, which takes all strings that are not UTF-8 for the same one.
    items = [replace(item, idx=item.idx.encode(errors="backslashreplace").decode()) for item in items]
    seen: set[str] = set()
    for item in items:
        if not is_text(item.query):
            raise InputError(f"{table}: the query of {item.idx!r} is not UTF-8 text; save the file as UTF-8")
        if item.idx in seen:
            raise InputError(f"{table}: idx {item.idx!r} occurs twice; give each row an idx of its own")
        seen.add(item.idx)
    return items


def _read_recorded(benchmark: Benchmark, table: Path, folder: Path, query: str) -> list[Item]:
    assert benchmark.reference is not None
    assert benchmark.mixture is not None
    items = []
    takes: Counter[str] = Counter()
    for _, row in filled_rows(table, list(dict.fromkeys((*benchmark.columns, query))), benchmark.title):
        first = row[benchmark.columns[0]]
        fields = {**row, "take": takes[first]}
        takes[first] += 1
        names = (benchmark.reference.format_map(fields), benchmark.mixture.format_map(fields))
        audio = Recorded(*(existing_path(folder / name) for name in names))
        group = row[benchmark.group].strip() if benchmark.group else ""
        items.append(Item(benchmark.idx.format_map(fields), row[query].strip(), group, audio))
    return items


def choose_items(items: Sequence[Item], names: Sequence[str] | None, limit: int | None) -> list[Item]:
    """Choose the items of some names (None: all) in the table's order, at most the first ``limit``.

    Raises:
        InputError: there is no item with a name.
    """
    if names is not None:
        known = {item.idx for item in items}
        for name in names:
            if name not in known:
                raise InputError(f"--items {name}: no such item{nearest(name, list(known)[:1000])}")
        items = [item for item in items if item.idx in names]
    return list(items[:limit])


def check_items(
    items: Sequence[Item], sample_rate: int, seconds: float | None, workers: int, progress: Progress = no_progress
) -> tuple[dict[str, int], dict[str, str]]:
    """Check the headers of all files.

    Args:
        sample_rate: of the network, Hz.
        seconds: length to which clips are cut or padded; None for files as they are.

    Returns:
        ({item: length in samples at ``sample_rate``}, {item: why it cannot be used}).
    """
    files = list(dict.fromkeys(file for item in items for file in item.files))
    found: dict[Path, int | str] = {}
    with ThreadPoolExecutor(workers) as pool:
        for file, length in zip(files, pool.map(lambda file: _length(file, sample_rate), files), strict=True):
            found[file] = length
            progress(len(found), len(files), "checking files")
    lengths: dict[str, int] = {}
    unusable: dict[str, str] = {}
    for item in items:
        first, second, *_ = own = [found[file] for file in item.files]
        wrong = next((reason for reason in own if isinstance(reason, str)), None)
        if wrong is None and seconds is None and first != second:
            wrong = f"{item.files[1]}: {second} samples at {sample_rate} Hz, but {item.files[0].name} has {first}"
        if wrong is not None:
            unusable[item.idx] = wrong
        else:
            assert isinstance(first, int)
            lengths[item.idx] = first if seconds is None else round(seconds * sample_rate)
    return lengths, unusable


def _length(file: Path, sample_rate: int) -> int | str:
    try:
        info = audio_info(file)
    except InputError as error:
        return str(error)
    return -(-info.frames * sample_rate // info.sample_rate)


def load_item(item: Item, sample_rate: int, seconds: float | None) -> Loaded:
    """Read an item's audio at ``sample_rate``, or mix it from clips of a length of ``seconds``.

    Raises:
        InputError: a file cannot be read, or mixture and reference differ in length.
    """
    sha256 = audio_sha256(item, seconds)
    if isinstance(item.audio, Mixture):
        assert seconds is not None
        return Loaded(*render(item.audio, sample_rate, seconds), sha256)
    reference, mixture = (read_mono(file, sample_rate) for file in item.files)
    if len(reference) != len(mixture):
        raise InputError(f"{item.audio.mixture}: {len(mixture)} samples, but its reference has {len(reference)}")
    return Loaded(mixture, reference, sha256)


def audio_sha256(item: Item, seconds: float | None, hashed: Callable[[Path], str] = clip_sha256) -> str:
    """The first 16 digits of a sha256 over an item's files and how they are mixed; ``hashed`` hashes one file.

    Raises:
        InputError: a file cannot be read.
    """
    parts = []
    if isinstance(item.audio, Mixture):
        ranges = [(row.start, row.end) for row in item.audio.rows]
        parts = [f"{ranges} {item.audio.snr_db} {seconds}"]
    try:
        parts += map(hashed, item.files)
    except RunError as error:
        raise InputError(str(error)) from error  # concerns this item; the evaluation goes on
    return text_sha256("".join(parts))[:16]


def audio_hashes(items: Sequence[Item], seconds: float | None, workers: int) -> dict[str, str]:
    """Hash the audio of items, reading each file once: {item: hash}, without items that cannot be read."""

    def hashed(file: Path) -> str | None:
        with contextlib.suppress(InputError, RunError):
            return clip_sha256(file)
        return None

    files = list(dict.fromkeys(file for item in items for file in item.files))
    with ThreadPoolExecutor(workers) as pool:
        known = {file: sha256 for file, sha256 in zip(files, pool.map(hashed, files), strict=True) if sha256}
    readable = (item for item in items if known.keys() >= set(item.files))
    return {item.idx: audio_sha256(item, seconds, known.__getitem__) for item in readable}
