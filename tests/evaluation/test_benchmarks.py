"""The table of benchmarks, and where their files are found."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import Aggregation, find_audio, find_benchmark, find_table
from dplass_cli.options.parse import read_yaml
from dplass_cli.resources import resource

NAMES = tuple(read_yaml(resource("metadata/benchmarks.yaml")))


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_the_table_can_be_read(name: str) -> None:
    benchmark = find_benchmark(name)
    assert benchmark.name == name
    assert benchmark.aggregation in get_args(Aggregation)
    assert benchmark.query in benchmark.columns
    assert benchmark.mixing or (benchmark.reference and benchmark.mixture)


def test_benchmarks_are_aggregated_as_published() -> None:
    rules = {name: find_benchmark(name).aggregation for name in NAMES}
    assert rules == {
        "audioset": "mean-of-class-medians",
        "music": "mean-of-class-means",
        "musdb18": "mean-of-class-means",
        **dict.fromkeys(("audiocaps", "clotho", "esc50", "vggsound", "custom"), "mean"),
    }


def test_an_unknown_benchmark_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"--benchmark esc-50: must be one of .*; did you mean 'esc50'\?"):
        find_benchmark("esc-50")


@pytest.mark.parametrize("folder", ["AudioCaps_evaluation", "audiocaps", "AUDIOCAPS"])
def test_audio_is_found_under_either_published_name(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    assert find_audio(find_benchmark("audiocaps"), tmp_path) == tmp_path / folder


def test_a_missing_audio_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder AudioCaps_evaluation .* in it; give its parent as --data-root"):
        find_audio(find_benchmark("audiocaps"), tmp_path)


@pytest.mark.parametrize("place", ["data/ESC50_evaluation", "data", "data/metadata", "metadata", "evaluation/metadata"])
def test_a_table_is_found_in_the_usual_places(tmp_path: Path, place: str) -> None:
    (tmp_path / "data" / "ESC50_evaluation").mkdir(parents=True)
    table = tmp_path / place / "esc50_eval.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.touch()
    assert find_table(find_benchmark("esc50"), tmp_path / "data", None) == table


def test_a_given_table_needs_no_data_root(tmp_path: Path) -> None:
    assert find_table(find_benchmark("esc50"), None, tmp_path / "mine.csv") == tmp_path / "mine.csv"
    (tmp_path / "esc50_eval.csv").touch()
    assert find_table(find_benchmark("esc50"), None, tmp_path) == tmp_path / "esc50_eval.csv"


def test_a_missing_table_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--benchmark esc50: esc50_eval.csv not found \(.*\); give --metadata-csv"):
        find_table(find_benchmark("esc50"), None, tmp_path)


def test_a_custom_benchmark_needs_a_table() -> None:
    with pytest.raises(InputError, match="--benchmark custom: has no table of its own; give --metadata-csv"):
        find_table(find_benchmark("custom"), None, None)
