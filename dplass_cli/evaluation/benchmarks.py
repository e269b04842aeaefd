"""The table of benchmarks, ``metadata/benchmarks.yaml``: one row per benchmark, one evaluator for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.parse import from_mapping, read_yaml
from dplass_cli.resources import resource

Aggregation = Literal["mean", "mean-of-class-medians", "mean-of-class-means"]


@dataclass(frozen=True)
class ReferenceResult:
    """Results that others have published.

    Attributes:
        system: what they evaluated.
        policy: the policy that compares with it.
        sdri: SDR improvement, dB.
        si_sdr: SI-SDR, dB.
        tolerance: how near a repetition should come, dB.
        source: where the results were read.
    """

    system: str
    policy: str
    sdri: float
    si_sdr: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Benchmark:
    """How to read a benchmark's items and to aggregate over them.

    ``idx``, ``reference`` and ``mixture`` are format strings over the columns of a row; ``{take}`` counts, from 0, the
    rows with the same value in the first column.

    Attributes:
        name: as ``--benchmark`` takes it.
        title: in reports.
        columns: columns that the table must have.
        query: the column of the query.
        aggregation: how to aggregate over items.
        idx: format of an item's name.
        queries: other columns that can be used as the query.
        group: the column of an item's class; None without classes.
        reference: format of the reference's path below the audio folder; None where mixtures are made on the fly.
        mixture: format of the mixture's path below the audio folder; None where mixtures are made on the fly.
        mixing: ``on-the-fly`` where each row names two clips (:func:`dplass_cli.data.mixture_tables.render`).
        seconds: length to which clips are cut or padded before they are mixed on the fly.
        table: file name of the published table.
        folder: name of the published folder.
        rows: rows of the published table.
        published: results of others.
    """

    name: str
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
    """Return a benchmark's row of the table; an unknown name is an InputError."""
    path = resource("metadata/benchmarks.yaml")
    table = read_yaml(path)
    check_choice("--benchmark", name, table)
    return from_mapping(Benchmark, {"name": name, **table[name]}, f"{path}: {name}")


def find_audio(benchmark: Benchmark, root: Path) -> Path:
    """Find a benchmark's folder below a data root: ``AudioCaps_evaluation``, or AudioSep's ``audiocaps``.

    Raises:
        InputError: there is none.
    """
    if root.is_dir():
        for child in sorted(root.iterdir()):
            plain = re.sub(r"[^a-z0-9]", "", child.name.lower())
            if child.is_dir() and plain.removesuffix("evaluation") == benchmark.name:
                return child
    raise InputError(
        f"{root}: no folder {benchmark.folder or benchmark.name} (or {benchmark.name}) in it; give its parent as"
        " --data-root"
    )


def find_table(benchmark: Benchmark, root: Path | None, given: Path | None) -> Path:
    """Find a benchmark's table: the given file, in the given folder, or in the usual places of a data root.

    Raises:
        InputError: there is none.
    """
    if given is not None and (benchmark.table is None or not given.is_dir()):
        return given
    if benchmark.table is None:
        raise InputError(f"--benchmark {benchmark.name}: has no table of its own; give --metadata-csv")
    folders = [] if given is None else [given]
    if given is None and root is not None:
        # As published, next to the audio; then AudioSep's layout, where the tables are in a folder of their own.
        layouts = (root, root / "metadata", root.parent / "metadata", root.parent / "evaluation" / "metadata")
        folders = [find_audio(benchmark, root), *layouts]
    for folder in folders:
        if (folder / benchmark.table).is_file():
            return folder / benchmark.table
    where = ", ".join(map(str, folders)) or "no folder given"
    raise InputError(
        f"--benchmark {benchmark.name}: {benchmark.table} not found ({where}); give --metadata-csv FILE or its folder"
    )
