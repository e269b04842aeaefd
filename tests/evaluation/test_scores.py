"""A score as a row of items.csv: columns, format and parsing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.evaluation.scores import COLUMNS, ItemScore

PATH = Path("items.csv")
SCORE = ItemScore("7", "a dog", "domain1", "ab12", -0.5, 4.25, 4.75, 3.5, 4.0, 5.0, 0.25, -3.0, 0.125)


def test_columns_are_those_of_version_0_1() -> None:
    assert ",".join(COLUMNS) == (
        "idx,query,adapter,sha256,sdr_mixture,sdr,sdri,si_sdr,si_sdri,bss_sdr,similarity,level_db,seconds,error"
    )


def test_metrics_have_six_decimals_and_seconds_four() -> None:
    row = SCORE.to_row()
    assert (row["sdri"], row["seconds"]) == ("4.750000", "0.1250")


def test_a_row_is_parsed_to_the_score_that_it_was_formatted_from() -> None:
    assert ItemScore.from_row(SCORE.to_row(), PATH) == SCORE


def test_what_was_not_computed_is_an_empty_field() -> None:
    score = replace(SCORE, bss_sdr=None, similarity=None)
    row = score.to_row()
    assert (row["bss_sdr"], row["similarity"]) == ("", "")
    assert ItemScore.from_row(row, PATH) == score


def test_negative_zero_keeps_its_sign() -> None:
    row = {**SCORE.to_row(), "sdr_mixture": "-0.000000"}
    assert ItemScore.from_row(row, PATH).to_row() == row


def test_an_unreadable_item_has_a_reason_and_no_metrics() -> None:
    row = ItemScore.failed("7", "7.wav: no such file", "a dog").to_row()
    assert {column: text for column, text in row.items() if text} == {
        "idx": "7",
        "query": "a dog",
        "error": "7.wav: no such file",
    }


def test_a_damaged_number_is_named_with_its_file_item_and_column() -> None:
    row = {**SCORE.to_row(), "si_sdr": "3.5 dB"}
    with pytest.raises(InputError, match=r"items.csv: item 7: si_sdr is '3.5 dB', not a number; delete the row"):
        ItemScore.from_row(row, PATH)
