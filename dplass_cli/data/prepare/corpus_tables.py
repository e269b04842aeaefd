"""CSV tables that come with a corpus, as pandas data frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dplass_cli.data.csv_tables import csv_records
from dplass_cli.errors import InputError


def read_table(path: Path | str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV file, with a header unless ``columns`` are given, as text; the index holds each row's line number.

    Quoted values may contain line breaks. Comments (``#``) may precede the header.

    Raises:
        InputError: the file is missing, not UTF-8 or not CSV, or a row has more or fewer fields than there are columns.
    """
    records = (record for record in csv_records(path) if any(map(str.strip, record[1])))
    names = list(columns) or next((fields for _, fields in records if not fields[0].startswith("#")), [])
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, fields in records:
        if len(fields) != len(names):
            raise InputError(f"{path}: line {line}: expected {len(names)} fields, not {len(fields)}; quote commas")
        lines.append(line)
        rows.append(fields)
    index = pd.Index(lines, name="line")
    table = pd.DataFrame(rows, index=index, columns=[name.strip() for name in names], dtype=object)
    return table.loc[:, ~table.columns.duplicated(keep="last")]


def read_columns(path: Path | str, *names: Sequence[str]) -> pd.DataFrame:
    """Read some columns of a CSV file with a header, in any order and case; values are stripped.

    ``names`` are, for each column, the names that it may have; the result has the first of them.

    Raises:
        InputError: as :func:`read_table`; a column is missing, or there are no rows.
    """
    table = read_table(path)
    by_name = {str(column).lower(): column for column in table.columns}
    found = [next((by_name[name.lower()] for name in known if name.lower() in by_name), None) for known in names]
    if None in found:
        wanted = " and ".join(" or ".join(known) for known in names)
        raise InputError(f"{path}: expected a header with the columns {wanted}, not {','.join(table.columns)!r}")
    if table.empty:
        raise InputError(f"{path}: the table has a header and no rows; add rows, or give another file")
    return table[found].set_axis([known[0] for known in names], axis="columns").apply(lambda column: column.str.strip())


def read_pairs(path: Path | str, key: Sequence[str], value: Sequence[str]) -> dict[str, str]:
    """Read two columns as a dictionary; the names are as in :func:`read_columns`.

    Raises:
        InputError: as :func:`read_columns`; a key or value is empty, or a key is repeated.
    """
    table = read_columns(path, key, value)
    for line in table.index[(table == "").any(axis="columns")]:
        raise InputError(f"{path}: line {line}: {key[0]} or {value[0]} is empty")
    for line in table.index[table[key[0]].duplicated()]:
        name = table[key[0]][line]
        raise InputError(f"{path}: line {line}: {key[0]} {name!r} is listed twice; keep one of the lines")
    return dict(zip(table[key[0]], table[value[0]], strict=True))


def read_captions(path: Path | str) -> dict[str, tuple[str, ...]]:
    """Read captions by clip id from a CSV file such as AudioCaps': one caption per line, several lines per id allowed.

    The columns are ``ytid``, ``youtube_id`` or ``id``, and ``caption``.

    Raises:
        InputError: as :func:`read_columns`, or an id or caption is empty.
    """
    table = read_columns(path, ("ytid", "youtube_id", "id"), ("caption",))
    for line in table.index[(table == "").any(axis="columns")]:
        raise InputError(f"{path}: line {line}: the id or the caption is empty")
    return dict(table.groupby("ytid", sort=False)["caption"].agg(tuple))
