"""The table of benchmarks (``metadata/benchmarks.yaml``): a benchmark is a row, the evaluator is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError, nearest
from dplass_cli.options.parse import from_mapping, read_yaml
from dplass_cli.resources import resource

Aggregation = Literal["mean", "mean-of-class-medians", "mean-of-class-means"]


@dataclass(frozen=True)
class ReferenceResult:
    """Figures in dB that others have published: of which system, to be compared with which policy, and where read.

    ``tolerance`` is how near in dB a repetition should come.
    """

    system: str
    policy: str
    sdri: float
    si_sdr: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark's items are read and summed up.

    Attributes:
        title: what it is.
        columns: the columns that its table must have.
        query: the column that holds the query; ``queries``: other columns that can.
        group: the column of an item's class, where items have one.
        idx: the form of an item's name; forms hold columns in braces, and ``take``, which counts the rows of one idx.
        reference, mixture: the forms of an item's files below the audio folder; absent where mixtures are made.
        mixing: ``on-the-fly``: two clips a row, mixed by :func:`dplass_cli.data.mixture_tables.render`.
        seconds: clips are cut or padded to this length before they are mixed.
        aggregation: how items are summed up.
        table, folder, rows: usual names below a data root, and the rows of the published table.
        published: figures of others.
    """

    title: str
    columns: tuple[str, ...]
    query: str
    aggregation: Aggregation
    idx: str
    queries: tuple[str, ...] = ()
    group: str | None = None
    reference: str | None = None
    mixture: str | None = None
    mixing: Literal["on-the-fly"] | None = None
    seconds: float | None = None
    table: str | None = None
    folder: str | None = None
    rows: int | None = None
    published: tuple[ReferenceResult, ...] = ()


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark's row of the table.

    Raises:
        InputError: no such benchmark.
    """
    path = resource("metadata/benchmarks.yaml")
    table = read_yaml(path)
    if name not in table:
        raise InputError(f"--benchmark {name}: not in the table of benchmarks{nearest(name, table)}")
    return from_mapping(Benchmark, table[name], f"{path}: {name}")


def find_audio(name: str, benchmark: Benchmark, root: Path) -> Path:
    """Find a benchmark's folder below a data root: ``AudioCaps_evaluation``, or AudioSep's ``audiocaps``.

    Raises:
        InputError: there is none.
    """
    if root.is_dir():
        for child in sorted(root.iterdir()):
            plain = re.sub(r"[^a-z0-9]", "", child.name.lower())
            if child.is_dir() and plain.removesuffix("evaluation") == name:
                return child
    raise InputError(
        f"{root}: no folder {benchmark.folder or name} (or {name}) below it; give its parent as --data-root"
    )


def find_table(name: str, benchmark: Benchmark, root: Path | None, given: Path | None) -> Path:
    """Find a benchmark's table: the one given, in the folder given, or in the usual places about a data root.

    Raises:
        InputError: there is none.
    """
    if given is not None and (benchmark.table is None or not given.is_dir()):
        return given
    if benchmark.table is None:
        raise InputError(f"--benchmark {name}: its table is not given; give --metadata-csv")
    folders = [] if given is None else [given]
    if given is None and root is not None:
        beside = (root, root / "metadata", root.parent / "metadata", root.parent / "evaluation" / "metadata")
        folders = [find_audio(name, benchmark, root), *beside]
    for folder in folders:
        if (folder / benchmark.table).is_file():
            return folder / benchmark.table
    where = ", ".join(map(str, folders)) or "no folder is given"
    raise InputError(f"--benchmark {name}: no {benchmark.table} ({where}); give --metadata-csv FILE or its folder")
