"""``models --costs``: the documented table is what it prints."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.pipelines.model_costs import costs_table, model_costs

PAGE = Path(__file__).parents[2] / "docs" / "small-devices.md"


def test_the_documented_table_is_the_one_of_today() -> None:
    table = costs_table(model_costs()).markdown().strip()
    assert table.startswith("| network | parameters (M) |")
    assert "| AudioSep | 26.45 |" in table
    assert table in PAGE.read_text(encoding="utf-8"), f"docs/small-devices.md: the table must be\n{table}"
