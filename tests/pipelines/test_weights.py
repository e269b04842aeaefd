"""``weights`` as a pipeline: options in, results out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.options.weights_options import WeightsFetchOptions
from dplass_cli.pipelines.weights import fetch_weights, list_weights, verify_weights


@pytest.fixture
def options(tmp_path: Path) -> WeightsFetchOptions:
    """An entry ``lists`` whose file is present."""
    (tmp_path / "table.yaml").write_text(
        "lists: {what: w, licence: l, url: 'http://127.0.0.1:9', files: [{path: a.bin}]}"
    )
    (tmp_path / "home" / "lists").mkdir(parents=True)
    (tmp_path / "home" / "lists" / "a.bin").write_bytes(b"a")
    return WeightsFetchOptions(("lists",), tmp_path / "home", offline=True, table=tmp_path / "table.yaml")


def test_present_files_are_pinned_and_then_verified(options: WeightsFetchOptions) -> None:
    (fetched,) = fetch_weights(options)
    assert not fetched.downloaded
    assert [item.status for item in verify_weights(options)] == ["ok"]
    assert list_weights(options)[0].missing == ()


def test_missing_files_are_an_error_when_offline(options: WeightsFetchOptions, tmp_path: Path) -> None:
    (tmp_path / "home" / "lists" / "a.bin").unlink()
    with pytest.raises(InputError, match=r"a\.bin: not fetched yet; run without --offline"):
        fetch_weights(options)


@pytest.mark.parametrize("verb", [list_weights, fetch_weights, verify_weights])
def test_an_unknown_name_is_corrected(options: WeightsFetchOptions, verb: object) -> None:
    with pytest.raises(InputError, match=r"list: must be one of .*; did you mean 'lists'"):
        verb(WeightsFetchOptions(("list",), options.output, table=options.table))  # type: ignore[operator]


def test_entries_of_ones_own_are_listed_and_fetched_like_the_shipped_ones(options: WeightsFetchOptions) -> None:
    assert options.output is not None
    assert options.table is not None
    options.table.rename(options.output / "dplass-weights.yaml")
    own = replace(options, table=None)
    assert [item.name for item in list_weights(replace(own, names=()))][-2:] == ["lasaft", "lists"]
    assert [fetched.name for fetched in fetch_weights(own)] == ["lists"]
    assert [item.status for item in verify_weights(replace(own, names=()))] == ["ok"]


def test_an_entry_of_ones_own_does_not_replace_a_shipped_one(options: WeightsFetchOptions) -> None:
    assert options.output is not None
    assert options.table is not None
    table = options.output / "dplass-weights.yaml"
    table.write_text(options.table.read_text().replace("lists", "lasaft"))
    with pytest.raises(InputError, match=r"dplass-weights\.yaml: lasaft: is the name of a shipped entry"):
        list_weights(replace(options, names=(), table=None))
