"""Tables in Markdown, to paste into papers and notes, and figures as they stand in tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table: the first ``left`` columns to the left, the others to the right."""
    head, *lines = (f"| {' | '.join(cells)} |" for cells in (columns, *rows))
    marks = ["---"] * left + ["---:"] * (len(columns) - left)
    return "\n".join([head, f"|{'|'.join(marks)}|", *lines]) + "\n"


def with_interval(value: float | None, ends: Sequence[float] | None, form: str = ".2f") -> str:
    """A figure with the ends of its interval, such as ``7.12 [6.90, 7.31]``; empty where there is none."""
    return "" if value is None or ends is None else f"{value:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]"
