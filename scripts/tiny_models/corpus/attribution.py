"""The bundled models' ATTRIBUTION.csv: author, origin and licence of every training clip.

    python -m tiny_models.corpus.attribution ATTRIBUTION.csv

adds the clips of the table of sources to it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

from dplass_cli.records import write_rows
from tiny_models.corpus.sources import Source, read_sources

COLUMNS = ("clip", "work", "author", "source", "licence", "licence of the original")


def attribution_rows(sources: Iterable[Source]) -> list[dict[str, str]]:
    """One row of :data:`COLUMNS` per clip."""
    rows = []
    for source in sources:
        package = " ".join(filter(None, (source.package, source.version, f"({source.registry})")))
        cells = (Path(source.filename).stem, source.path, source.attribution, package, source.licence, "")
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    return rows


def complete(path: Path) -> None:
    """Write the rows of the sources into a table of attribution; its other rows stay."""
    added = attribution_rows(read_sources())
    clips = {row["clip"] for row in added}
    with open(path, encoding="utf-8", newline="") as stream:
        kept = [row for row in csv.DictReader(stream) if row["clip"] not in clips]
    write_rows(path, COLUMNS, [*kept, *added])


if __name__ == "__main__":
    complete(Path(sys.argv[1]))
