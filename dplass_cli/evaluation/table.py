"""The tables of results: columns defined once, rendered for a terminal, as Markdown, and in HTML reports.

:mod:`dplass_cli.reports.page` renders the HTML, with sortable columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.conditions import BASE
from dplass_cli.evaluation.scores import PolicyScore

BOUND_NOTE = (
    "oracle: for each mixture, the best adapter by SDRi + SI-SDR against the reference; refinement or the base can"
    " exceed it."
)
DEFAULT_NOTE = "default: what separate uses with these models."


@dataclass(frozen=True)
class Figure:
    """A number in a table.

    Attributes:
        value: the number; None or NaN where there is none.
        form: format specification.
        interval: its 95% confidence interval.
    """

    value: float | None
    form: str = ".2f"
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        """As text, such as ``7.12 [6.90, 7.31]``; empty without a number."""
        if self.value is None or math.isnan(self.value):
            return ""
        if self.interval is None or any(map(math.isnan, self.interval)):
            return f"{self.value:{self.form}}"
        low, high = self.interval
        return f"{self.value:{self.form}} [{low:{self.form}}, {high:{self.form}}]"


NO_FIGURE = Figure(None)


@dataclass(frozen=True)
class Table:
    """A table of texts and numbers.

    Attributes:
        title: above the table.
        columns: their names.
        rows: of cells.
        left: number of columns on the left that hold texts; the others are aligned to the right.
        note: below the table.
        marked: positions of rows to highlight.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Figure]]
    left: int = 1
    note: str = ""
    marked: Sequence[int] = ()

    def rich(self) -> Any:
        """Render for a terminal: a :class:`rich.table.Table`."""
        from rich import box
        from rich.table import Table as RichTable

        table = RichTable(
            title=self.title or None,
            caption=self.note or None,
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="left" if number < self.left else "right", overflow="fold")
        for number, row in enumerate(self.rows):
            table.add_row(*map(str, row), style="bold" if number in self.marked else None)
        return table

    def markdown(self) -> str:
        """Render as Markdown: title, table and note."""
        lines = [f"| {' | '.join(map(str, cells))} |" for cells in (self.columns, *self.rows)]
        marks = ["---"] * self.left + ["---:"] * (len(self.columns) - self.left)
        table = "\n".join([lines[0], f"|{'|'.join(marks)}|", *lines[1:]])
        return "\n\n".join(part for part in (self.title, table, self.note) if part) + "\n"


POLICY_COLUMNS = (
    "policy",
    "SDRi (dB) [95%]",
    "SI-SDR (dB) [95%]",
    "over base (dB) [95%]",
    "regret (dB)",
    "accuracy",
    "similarity",
    "items",
)


def policy_table(
    title: str,
    policies: Mapping[str, PolicyScore],
    benchmark: Benchmark | None = None,
    default: str | None = None,
) -> Table:
    """The conditions of an evaluation, a row each, with the ``default`` one marked.

    The published results of ``benchmark`` are added below.
    """
    rows = [_policy_row(name, score, name == default) for name, score in policies.items()]
    for result in () if benchmark is None else benchmark.published:
        name = f"{result.system}, published (compare with {result.policy})"
        figures = (Figure(result.sdri), Figure(result.si_sdr), *[NO_FIGURE] * 4)
        rows.append((name, *figures, Figure(None if benchmark is None else benchmark.rows, "d")))
    marked = [number for number, name in enumerate(policies) if name == default]
    notes = [DEFAULT_NOTE] * bool(marked) + [BOUND_NOTE] * any(score.bound for score in policies.values())
    return Table(title, POLICY_COLUMNS, rows, note=" ".join(notes), marked=marked)


def display_name(name: str, bound: bool, default: bool = False) -> str:
    """A condition's name in tables."""
    return f"{name} (best adapter)" if bound else f"{name} (default)" if default else name


def _policy_row(name: str, score: PolicyScore, default: bool) -> tuple[str | Figure, ...]:
    return (
        display_name(name, score.bound, default),
        Figure(score.sdri, interval=score.sdri_ci),
        Figure(score.si_sdr, interval=score.si_sdr_ci),
        NO_FIGURE if name == BASE else Figure(score.difference, "+.2f", score.difference_ci),
        Figure(score.regret),
        Figure(score.accuracy, ".0%"),
        Figure(score.similarity, ".3f"),
        Figure(score.n, "d"),
    )
