"""The attribution of the training clips."""

from __future__ import annotations

import csv

from dplass_cli.resources import resource
from tiny_models.corpus.attribution import COLUMNS, attribution_rows
from tiny_models.corpus.sources import read_sources


def test_the_bundled_models_name_author_and_licence_of_every_clip() -> None:
    with open(resource("assets/tiny/ATTRIBUTION.csv"), encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        by_clip = {row["clip"]: row for row in reader}
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert all(row["author"] and row["licence"] for row in by_clip.values())
    missing = [row for row in attribution_rows(read_sources()) if by_clip.get(row["clip"]) != row]
    assert not missing
