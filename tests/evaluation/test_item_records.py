"""items.csv while it grows: appending, resuming, sharing among processes, merging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from made_scores import score

from dplass_cli.errors import InputError
from dplass_cli.evaluation.item_records import ItemRecords, read_item_scores
from dplass_cli.evaluation.scores import COLUMNS, ItemScore

WANTED = {"0": ("base", "domain0"), "1": ("base", "domain0")}


def records(folder: Path, rank: int = 0, world: int = 1, hashes: Mapping[str, str] | None = None) -> ItemRecords:
    return ItemRecords(folder, "key", lambda names: hashes or {}, rank, world)


def lines(folder: Path) -> list[str]:
    return (folder / "items.csv").read_text().splitlines()


def test_the_file_starts_with_the_key_and_the_columns(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0)])
    assert lines(tmp_path)[:2] == ["# key", ",".join(COLUMNS)]
    assert len(lines(tmp_path)) == 3


def test_appended_scores_are_known_as_the_file_holds_them(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.23456789)])
        assert opened.known["0", "base"].sdri == 1.234568


def test_a_resumed_run_knows_the_same_scores(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.23456789), score("0", "domain0", -0.5)])
        before = opened.known
    with records(tmp_path) as resumed:
        assert resumed.known == before


def test_known_scores_are_not_appended_again(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0)])
        opened.append([score("0", "base", 2.0)])
        assert opened.known["0", "base"].sdri == 1.0
    assert len(lines(tmp_path)) == 3


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0), score("1", "base", 2.0)])
    path = tmp_path / "items.csv"
    path.write_bytes(path.read_bytes()[:-5])
    with records(tmp_path) as resumed:
        assert list(resumed.known) == [("0", "base")]


def test_unreadable_items_are_tried_again_by_the_next_run(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([ItemScore.failed("0", "gone")])
        assert opened.failed == {"0": "gone"}
    with records(tmp_path) as resumed:
        assert resumed.failed == {}
        resumed.append([score("0", "base", 1.0)])
        assert resumed.merge({"0": ("base",)})
        assert resumed.failed == {}


def test_scores_of_replaced_audio_are_not_known(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0), score("1", "base", 2.0)])
    with records(tmp_path, hashes={"0": "cd", "1": "ab"}) as resumed:
        assert list(resumed.known) == [("1", "base")]
        resumed.append([replace(score("0", "base", 5.0), sha256="cd")])
        assert resumed.known["0", "base"].sdri == 5.0


def test_another_evaluation_in_the_folder_is_refused(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0)])
    with pytest.raises(InputError, match="contains an evaluation of other models, items or settings"):
        ItemRecords(tmp_path, "other", lambda names: {})
    assert len(lines(tmp_path)) == 3


def test_nothing_is_merged_before_every_run_is_known(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0), score("0", "domain0", 1.0), score("1", "base", 2.0)])
        assert not opened.merge(WANTED)


def test_merged_scores_are_in_the_order_of_the_items(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score(idx, run, 1.0) for idx, run in (("1", "domain0"), ("1", "base"), ("0", "base"))])
        opened.append([score("0", "domain0", 1.0), score("9", "base", 1.0)])
        assert opened.merge(WANTED)
    assert [(row.idx, row.run) for row in read_item_scores(tmp_path)] == [
        *(("0", "base"), ("0", "domain0"), ("1", "base"), ("1", "domain0")),
        ("9", "base"),  # was not wanted this time, and is kept
    ]


def test_an_item_that_cannot_be_read_does_not_hold_up_the_merge(tmp_path: Path) -> None:
    with records(tmp_path) as opened:
        opened.append([score("0", "base", 1.0), score("0", "domain0", 1.0), ItemScore.failed("1", "gone", "rain")])
        assert opened.merge(WANTED)
        assert opened.failed == {"1": "gone"}
    assert lines(tmp_path)[-1].endswith(",gone")


def test_processes_merge_to_the_bytes_of_one_process(tmp_path: Path) -> None:
    scores = [score(idx, run, float(idx)) for idx, runs in WANTED.items() for run in runs]
    with records(tmp_path / "one") as alone:
        alone.append(scores)
        assert alone.merge(WANTED)
    with records(tmp_path / "two", 0, 2) as first:
        first.append(scores[2:])
        assert not first.merge(WANTED)
    with records(tmp_path / "two", 1, 2) as second:
        second.append(scores[:2])
        assert second.merge(WANTED)
    assert (tmp_path / "two" / "items.csv").read_bytes() == (tmp_path / "one" / "items.csv").read_bytes()


def test_a_folder_without_items_is_not_an_evaluation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the items of the evaluation"):
        read_item_scores(tmp_path)


def test_items_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("# key\nidx,adapter\n0,base\n")
    with pytest.raises(InputError, match="not the items of an evaluation of this version"):
        read_item_scores(tmp_path)
