"""The table of benchmarks (``metadata/benchmarks.yaml``): a benchmark is a row, the evaluator is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import yaml

from dplass_cli.configuration import from_mapping
from dplass_cli.errors import InputError, nearest
from dplass_cli.resources import resource
from dplass_cli.storage import read_text


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark's items are read and summed up.

    Attributes:
        title: what it is.
        columns: the columns of its table.
        query: the column that holds the query.
        mixing: ``on-the-fly``: two clips a row, mixed by :func:`dplass_cli.data.mixtures.render`.
        seconds: clips are cut or padded to this length.
        aggregation: ``mean`` over items.
    """

    title: str
    columns: tuple[str, ...]
    query: str
    mixing: Literal["on-the-fly"]
    seconds: float
    aggregation: Literal["mean"]


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark's row of the table.

    Raises:
        InputError: no such benchmark.
    """
    path = resource("metadata/benchmarks.yaml")
    table = yaml.safe_load(read_text(path))
    if name not in table:
        raise InputError(f"--benchmark {name}: not in the table of benchmarks{nearest(name, table)}")
    return from_mapping(Benchmark, table[name], f"{path}: {name}")
