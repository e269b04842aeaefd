"""Several recordings: their queries, what is written, and failures that do not stop the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.output import Separated
from dplass_cli.separation.queries import Query, named
from dplass_cli.separation.recordings import Recording, queries_of, requested_recordings, separate_recordings


class WritingSeparator:
    """Writes an empty file per query; fails on recordings whose name says so."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def check(self, queries: Sequence[str | Query]) -> dict[str, Query]:
        return named(queries)

    def separate_file(
        self,
        path: Path,
        queries: Sequence[Query],
        folder: Path,
        *,
        taken: Collection[Path],
        progress: Any,
        name: str,
        **options: Any,
    ) -> list[Separated]:
        self.calls.append({"path": path, "folder": folder, "name": name, "taken": set(taken), **options})
        progress(1, 2, f"separating {path.name}")
        if "damaged" in path.name:
            raise InputError(f"{path}: damaged audio; replace it")
        if "full" in path.name:
            raise RunError(f"{path}: writing failed (No space left on device)")
        written = []
        for query in queries:
            file = folder / f"{name}_{query.name}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            written.append(Separated(query.name, file, None, 0))
        return written


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_audio(tmp_path / f"{name}.wav", np.zeros((1, 8), np.float32), 8000, "PCM_16")
    return tmp_path


def recording(name: str, *queries: str) -> Recording:
    return Recording(Path(f"{name}.wav"), tuple(Query(query) for query in queries or ("rain",)), name)


def run(recordings: list[Recording], folder: Path, **more: Any) -> tuple[WritingSeparator, Any]:
    separator = WritingSeparator()
    stand_in: Any = separator
    options = SeparateOptions(output=folder, **more)
    return separator, separate_recordings(stand_in, recordings, options)


def test_sentences_files_of_sentences_and_examples_are_queries_of_every_input(takes: Path) -> None:
    (takes / "queries.txt").write_text("wind\n\n  a siren \n")
    options = SeparateOptions(
        output=takes / "out",
        inputs=(takes / "a.wav", takes / "b.wav"),
        query=("rain",),
        queries=takes / "queries.txt",
        like=(takes / "b.wav",),
    )
    expected = (Query("rain"), Query("wind"), Query("a siren"), Query(like=takes / "b.wav"))
    assert [(r.name, r.queries) for r in requested_recordings(options)] == [("a", expected), ("b", expected)]


def test_a_file_of_queries_without_any_is_named(takes: Path) -> None:
    (takes / "queries.txt").write_text("\n  \n")
    options = SeparateOptions(output=takes, inputs=(takes / "a.wav",), queries=takes / "queries.txt")
    with pytest.raises(InputError, match=r"queries\.txt: contains no query; write one per line$"):
        requested_recordings(options)


def test_spans_and_negatives_belong_to_every_query(takes: Path) -> None:
    options = SeparateOptions(
        output=takes, inputs=(takes / "a.wav",), query=("rain",), spans="1-2,3-4", without=("wind",)
    )
    (only,) = requested_recordings(options)
    assert only.queries == (Query("rain", spans=((1.0, 2.0), (3.0, 4.0)), without=("wind",)),)


@pytest.mark.parametrize(
    ("more", "query"),
    [({"spans": "1-2"}, Query(spans=((1.0, 2.0),))), ({"without": ("wind",)}, Query(without=("wind",)))],
)
def test_spans_and_negatives_may_stand_alone(takes: Path, more: dict[str, Any], query: Query) -> None:
    (only,) = requested_recordings(SeparateOptions(output=takes, inputs=(takes / "a.wav",), **more))
    assert only.queries == (query,)


def test_spans_of_several_queries_are_refused(takes: Path) -> None:
    options = SeparateOptions(output=takes, inputs=(takes / "a.wav",), query=("rain", "wind"), spans="1-2")
    with pytest.raises(InputError, match="--spans 1-2: applies to a single target, not 2; give one query"):
        requested_recordings(options)


def test_outputs_are_collected_by_recording(tmp_path: Path) -> None:
    _, (written, failed) = run([recording("a", "rain", "wind"), recording("b")], tmp_path)
    assert {path: [target.query for target in targets] for path, targets in written.items()} == {
        "a.wav": ["rain", "wind"],
        "b.wav": ["rain"],
    }
    assert failed == {}


def test_a_recording_that_is_listed_twice_collects_both(tmp_path: Path) -> None:
    first, second = recording("a"), Recording(Path("a.wav"), (Query("wind"),), "a_2")
    _, (written, _) = run([first, second], tmp_path)
    assert [target.path.name for target in written["a.wav"]] == ["a_rain.wav", "a_2_wind.wav"]


def test_folders_in_a_name_become_folders_of_the_output(tmp_path: Path) -> None:
    separator, _ = run([recording("deep/a")], tmp_path)
    assert (separator.calls[0]["folder"], separator.calls[0]["name"]) == (tmp_path / "deep", "a")


def test_a_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    _, (written, failed) = run([recording("damaged"), recording("full"), recording("a")], tmp_path)
    assert list(written) == ["a.wav"]
    assert failed == {
        "damaged.wav": "damaged.wav: damaged audio; replace it",
        "full.wav": "full.wav: writing failed (No space left on device)",
    }


def test_the_first_error_is_raised_where_nothing_was_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="full"):
        run([recording("full"), recording("damaged")], tmp_path)


def test_a_wrong_query_is_refused_before_anything_is_separated(tmp_path: Path) -> None:
    separator: Any = WritingSeparator()
    with pytest.raises(InputError, match="--query is empty"):
        separate_recordings(separator, [recording("a"), recording("b", " ")], SeparateOptions(output=tmp_path))
    assert separator.calls == []


def test_inputs_and_earlier_outputs_may_not_be_overwritten(tmp_path: Path) -> None:
    separator, _ = run([recording("a"), recording("b")], tmp_path)
    inputs = {Path("a.wav").resolve(), Path("b.wav").resolve()}
    assert [call["taken"] for call in separator.calls] == [inputs, inputs | {(tmp_path / "a_rain.wav").resolve()}]


def test_the_options_reach_the_separator(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {
        "residual": True,
        "subtype": "FLOAT",
        "clip": "scale",
        "highband": "drop",
        "consistent": True,
        "silence_if_absent": 0.5,
    }
    separator, _ = run([recording("a")], tmp_path, **chosen, track=2)
    assert separator.calls[0]["track"] == 1  # counted from 0
    assert {name: separator.calls[0][name] for name in chosen} == chosen


def test_progress_says_which_recording_is_separated(tmp_path: Path) -> None:
    reports: list[tuple[int, int, str]] = []
    separator: Any = WritingSeparator()
    separate_recordings(
        separator,
        [recording("a"), recording("b")],
        SeparateOptions(output=tmp_path),
        lambda done, total, what: reports.append((done, total, what)),
    )
    assert reports == [(1, 2, "separating a.wav (1 of 2)"), (1, 2, "separating b.wav (2 of 2)")]


def test_queries_are_listed_once_with_all_their_sentences() -> None:
    query, example = Query("rain", without=("wind",)), Query(like=Path("b.wav"))
    recordings = [Recording(Path("a.wav"), (query, example), "a"), Recording(Path("b.wav"), (example,), "b")]
    assert queries_of(recordings) == [query, example]
    assert [query.sentences for query in queries_of(recordings)] == [("rain", "wind"), ()]
    assert Query(without=("wind",), reduce=(("fan", 3.0),)).sentences == ("wind", "fan")


def test_an_output_with_a_suffix_is_the_file_of_a_single_target(tmp_path: Path) -> None:
    separator, _ = run([recording("deep/a")], tmp_path / "less {wind}.mp3", overwrite=True)
    (call,) = separator.calls
    assert (call["folder"], call["name"], call["template"]) == (tmp_path, "less {wind}", "{stem}")
    assert call["format"] == "mp3"
    assert call["existing"] == "overwrite"
    (tmp_path / "takes.wav").mkdir()
    separator, _ = run([recording("a")], tmp_path / "takes.wav", format="flac", skip_existing=True)
    (call,) = separator.calls
    assert (call["folder"], call["template"], call["format"]) == (tmp_path / "takes.wav", "{stem}_{query}", "flac")
    assert call["existing"] == "skip"


@pytest.mark.parametrize(
    ("queries", "more", "wrong"),
    [
        (("rain", "wind"), {}, r"--output .*dog\.mp3: names one file, but there are several targets; name a folder"),
        (("rain",), {"residual": True}, "names one file, but there are several targets"),
        (("rain",), {"format": "wav"}, r"dog\.mp3: is not a file of --format wav; change one of them"),
        (("rain",), {"overwrite": True, "skip_existing": True}, "--overwrite and --skip-existing: exclude each other"),
    ],
)
def test_an_output_file_for_more_than_one_target_is_refused(
    tmp_path: Path, queries: tuple[str, ...], more: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(InputError, match=wrong):
        run([recording("a", *queries)], tmp_path / "dog.mp3", **more)
