"""From segment lists and clips to a manifest."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dplass_cli.audio.files import write_audio
from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.errors import InputError
from dplass_cli.pipelines.prepare_audioset import PrepareOptions, joined, prepare_audioset

LABELS = {"/m/dog": "Dog", "/m/bark": "Bark", "/m/cry": "Baby cry, infant cry"}


@dataclass
class Corpus:
    """A small corpus on disk, made clip by clip; its segment list is in the order of the clips."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "audio").mkdir()
        (self.folder / "labels.csv").write_text(
            "index,mid,display_name\n" + "".join(f'0,{mid},"{name}"\n' for mid, name in LABELS.items())
        )

    def segment(self, ytid: str, *mids: str) -> None:
        """Add a line to the list, without a file."""
        self.lines.append(f'{ytid}, 30.000, 40.000, "{",".join(mids)}"')

    def clip(self, ytid: str, *mids: str, name: str = "", level: float = 0.5) -> Path:
        """Add a line and a file with a constant in it."""
        self.segment(ytid, *mids)
        path = self.folder / "audio" / (name or f"{ytid}.wav")
        write_audio(path, np.full((1, 800), level, np.float32), 16000)
        return path

    def options(self, **changes: Any) -> PrepareOptions:
        """Write the list and return the options that prepare it."""
        segments = self.folder / "segments.csv"
        segments.write_text(
            "# one\n# two\n# YTID, start_seconds, end_seconds, positive_labels\n" + "\n".join(self.lines)
        )
        plain = PrepareOptions(
            segments=(segments,),
            labels=self.folder / "labels.csv",
            audio_dir=(self.folder / "audio",),
            output=self.folder / "out" / "train.json",
        )
        return replace(plain, **changes)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def read_rejects(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


# Captions


def test_single_keeps_the_clips_with_one_label_in_the_order_of_the_list(corpus: Corpus) -> None:
    last = corpus.clip("zzz", "/m/cry", name="Yzzz.wav")
    corpus.clip("mmm", "/m/bark", "/m/dog")
    first = corpus.clip("-aa", "/m/dog", name="-aa_30.000_40.000.wav")
    result = prepare_audioset(corpus.options())
    assert read_manifest(result.manifest) == [
        Row(last, "Baby cry, infant cry", ("/m/cry",), "zzz"),
        Row(first, "Dog", ("/m/dog",), "-aa"),
    ]
    assert (result.segments, result.used_clips, result.rows) == (3, 2, 2)
    assert result.rejected == {"several labels": 1}
    assert result.captions == {"Baby cry, infant cry": 1, "Dog": 1}


def test_each_gives_a_row_a_label_with_that_label(corpus: Corpus) -> None:
    path = corpus.clip("abc", "/m/bark", "/m/dog")
    other = corpus.clip("def", "/m/dog")
    result = prepare_audioset(corpus.options(captions="each"))
    assert read_manifest(result.manifest) == [
        Row(path, "Bark", ("/m/bark",), "abc"),
        Row(path, "Dog", ("/m/dog",), "abc"),
        Row(other, "Dog", ("/m/dog",), "def"),
    ]
    assert (result.segments, result.used_clips, result.rows) == (2, 2, 3)
    assert result.captions == {"Bark": 1, "Dog": 2}


def test_joined_gives_one_row_with_all_labels(corpus: Corpus) -> None:
    path = corpus.clip("abc", "/m/bark", "/m/dog")
    result = prepare_audioset(corpus.options(captions="joined"))
    assert read_manifest(result.manifest) == [Row(path, "Bark and Dog", ("/m/bark", "/m/dog"), "abc")]


@pytest.mark.parametrize(("names", "caption"), [(["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")])
def test_names_are_joined_as_in_a_sentence(names: list[str], caption: str) -> None:
    assert joined(names) == caption


@given(st.lists(st.text("abc", min_size=1), min_size=1))
def test_joined_names_can_be_told_apart(names: list[str]) -> None:
    assert joined(names).replace(" and ", ", ").split(", ") == names


def test_unknown_and_repeated_labels_are_dropped(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/unheard", "/m/dog", "/m/dog")
    corpus.clip("def", "/m/unheard")
    result = prepare_audioset(corpus.options())
    assert [(row.id, row.labels) for row in read_manifest(result.manifest)] == [("abc", ("/m/dog",))]
    assert result.rejected == {"unknown label": 1}


# Rejects


def test_every_reject_is_listed_with_its_reason(corpus: Corpus) -> None:
    good = corpus.clip("good", "/m/dog")
    corpus.segment("gone", "/m/dog")
    corpus.clip("empty", "/m/dog").write_bytes(b"")
    corpus.clip("page", "/m/dog").write_text("<html>")
    several = corpus.clip("several", "/m/dog", "/m/bark")
    corpus.clip("unknown", "/m/unheard")
    corpus.segment("good", "/m/bark")
    result = prepare_audioset(corpus.options())
    assert [row.id for row in read_manifest(result.manifest)] == ["good"]
    assert result.rejects == result.manifest.parent / "rejects.csv"
    rejects = read_rejects(result.rejects)
    assert [(row["ytid"], row["reason"]) for row in rejects] == [
        ("gone", "missing"),
        ("empty", "zero-length file"),
        ("page", "not audio"),
        ("several", "several labels"),
        ("unknown", "unknown label"),
        ("good", "duplicate id"),
    ]
    assert rejects[0] == {"ytid": "gone", "start": "30.0", "end": "40.0", "reason": "missing", "path": ""}
    assert rejects[3]["path"] == str(several)
    assert rejects[5]["path"] == str(good)
    assert result.rejected == Counter(row["reason"] for row in rejects)
    assert result.segments == result.used_clips + len(rejects) == 7


@pytest.mark.parametrize(("check", "used"), [("none", 3), ("header", 2), ("decode", 1)])
def test_the_check_decides_what_is_found(corpus: Corpus, check: str, used: int) -> None:
    corpus.clip("good", "/m/dog")
    corpus.clip("quiet", "/m/dog", level=0.0)
    corpus.clip("page", "/m/dog").write_text("<html>")
    result = prepare_audioset(corpus.options(check=check))
    assert result.used_clips == used
    assert result.rejected == {"none": {}, "header": {"not audio": 1}, "decode": {"silent": 1, "not audio": 1}}[check]


def test_a_duplicate_in_another_list_is_rejected(corpus: Corpus, tmp_path: Path) -> None:
    corpus.clip("abc", "/m/dog")
    options = corpus.options()
    (tmp_path / "more.csv").write_text('abc, 30.000, 40.000, "/m/bark"\n')
    result = prepare_audioset(replace(options, segments=(*options.segments, tmp_path / "more.csv")))
    assert [row.caption for row in read_manifest(result.manifest)] == ["Dog"]
    assert result.rejected == {"duplicate id": 1}


# Missing clips


def half_missing(corpus: Corpus, present: int, missing: int) -> None:
    for number in range(present):
        corpus.clip(f"here{number}", "/m/dog")
    for number in range(missing):
        corpus.segment(f"gone{number}", "/m/dog")


def test_as_many_missing_as_allowed_is_no_error(corpus: Corpus) -> None:
    half_missing(corpus, present=2, missing=2)
    assert prepare_audioset(corpus.options()).rejected == {"missing": 2}


def test_more_missing_than_allowed_is_an_error_that_helps(corpus: Corpus) -> None:
    half_missing(corpus, present=4, missing=5)
    options = corpus.options()
    with pytest.raises(InputError) as caught:
        prepare_audioset(options)
    message = str(caught.value)
    assert "5 of 9 clips are missing" in message
    assert "gone0.wav, gone1.wav, gone2.wav and 2 more" in message
    assert str(options.audio_dir[0]) in message
    for option in ("--name-map", "--audio-dir", "--max-missing"):
        assert option in message
    assert not options.output.exists()
    assert prepare_audioset(replace(options, max_missing=0.6)).used_clips == 4


def test_a_list_of_files_that_are_gone_is_an_error_too(corpus: Corpus) -> None:
    half_missing(corpus, present=1, missing=2)
    files = corpus.folder / "files.txt"
    files.write_text("here0.wav\ngone0.wav\ngone1.wav\n")
    with pytest.raises(InputError, match=r"2 of 3 clips are missing .* in .*files\.txt"):
        prepare_audioset(corpus.options(file_list=files))
    assert prepare_audioset(corpus.options(file_list=files, check="none")).used_clips == 3


# Where clips are


def test_a_file_list_stands_in_for_the_folders(corpus: Corpus) -> None:
    listed = corpus.clip("abc", "/m/dog")
    corpus.clip("def", "/m/dog")
    files = corpus.folder / "files.txt"
    files.write_text(f"{listed}\n")
    result = prepare_audioset(corpus.options(file_list=files, audio_dir=()))
    assert [row.wav for row in read_manifest(result.manifest)] == [listed]
    assert result.rejected == {"missing": 1}


def test_a_name_map_finds_clips_with_other_names(corpus: Corpus) -> None:
    path = corpus.clip("-bc", "/m/dog", name="my dog.wav")
    options = corpus.options()
    with pytest.raises(InputError, match=r"1 of 1 clips are missing \(looked for -bc\.wav"):
        prepare_audioset(options)
    names = corpus.folder / "map.csv"
    names.write_text("YTID,filename\n-bc,my dog.wav\n")
    result = prepare_audioset(replace(options, name_map=names))
    assert [row.wav for row in read_manifest(result.manifest)] == [path]
    path.unlink()
    with pytest.raises(InputError, match=r"looked for my dog\.wav"):
        prepare_audioset(replace(options, name_map=names))


def test_relative_folders_give_absolute_paths(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    path = corpus.clip("abc", "/m/dog")
    corpus.clip("def", "/m/dog").write_bytes(b"")
    monkeypatch.chdir(corpus.folder)
    result = prepare_audioset(corpus.options(audio_dir=(Path("audio"),), output=Path("train.json")))
    assert [row.wav for row in read_manifest(result.manifest.absolute())] == [path]
    assert read_rejects(result.rejects)[0]["path"] == str(corpus.folder / "audio" / "def.wav")


# Wrong input


def test_ids_keep_a_subset(corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    for ytid in ("-ab", "cd", "ef"):
        corpus.clip(ytid, "/m/dog")
    ids = corpus.folder / "ids.txt"
    ids.write_text("ef\n-ab\nelsewhere\n")
    result = prepare_audioset(corpus.options(ids=ids))
    assert [row.id for row in read_manifest(result.manifest)] == ["-ab", "ef"]
    assert (result.segments, result.rejected) == (2, {})
    assert "1 of 3 ids are not in the segment lists" in caplog.text


def test_ids_that_match_nothing_are_an_error(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog")
    ids = corpus.folder / "ids.txt"
    ids.write_text("abc.wav\n")
    with pytest.raises(InputError, match=r"none of its 1 ids is in the segment lists; expected YTIDs such as 'abc'"):
        prepare_audioset(corpus.options(ids=ids))


def test_no_usable_clip_is_an_error_that_counts_the_reasons(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog", "/m/bark")
    corpus.clip("def", "/m/unheard")
    options = corpus.options()
    with pytest.raises(InputError, match=r"no usable clip among 2 segments \(several labels: 1, unknown label: 1\)"):
        prepare_audioset(options)
    assert not options.output.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segments": (Path("absent.csv"),)}, r"absent\.csv: no such file"),
        ({"labels": Path("absent.csv")}, r"absent\.csv: no such file"),
        ({"name_map": Path("absent.csv")}, r"absent\.csv: no such file"),
        ({"ids": Path("absent.txt")}, r"absent\.txt: no such file"),
        ({"file_list": Path("absent.txt")}, r"absent\.txt: no such file"),
        ({"audio_dir": (Path("gone"), Path("lost"))}, "gone, lost: no such folder"),
        ({"audio_dir": ()}, "--audio-dir"),
        ({"segments": ()}, "--segments"),
        ({"captions": "jointed"}, "did you mean 'joined'"),
        ({"check": "heder"}, "did you mean 'header'"),
        ({"max_missing": 1.5}, "between 0 and 1"),
        ({"max_missing": float("nan")}, "between 0 and 1"),
        ({"output": Path(__file__).parent}, "is a folder"),
    ],
)
def test_wrong_options_are_refused(corpus: Corpus, changes: dict[str, Any], message: str) -> None:
    corpus.clip("abc", "/m/dog")
    with pytest.raises(InputError, match=message):
        prepare_audioset(corpus.options(**changes))


def test_an_empty_list_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"segments\.csv: holds no segments"):
        prepare_audioset(corpus.options())


# Whole runs


def test_progress_ends_at_the_number_of_segments(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog")
    for number in range(2000):
        corpus.segment(f"gone{number}", "/m/dog")
    seen: list[tuple[int, int]] = []
    prepare_audioset(corpus.options(max_missing=1.0), lambda done, total, what: seen.append((done, total)))
    assert seen == [(1024, 2001), (2001, 2001)]


def test_the_same_input_gives_the_same_files(corpus: Corpus) -> None:
    for number in range(50):
        corpus.clip(f"id{number}", "/m/dog", level=number % 2)
    written = []
    for output in ("one", "two"):
        result = prepare_audioset(corpus.options(output=corpus.folder / output / "train.json", check="decode"))
        written.append((result.manifest.read_bytes(), result.rejects.read_bytes()))
    assert written[0] == written[1]


def test_the_real_clips_of_three_folds(real_data: Path, tmp_path: Path) -> None:
    mini = real_data / "audioset_mini"
    with (real_data / "clips.csv").open(newline="", encoding="utf-8") as stream:
        clips = {row["filename"]: row for row in csv.DictReader(stream)}
    with (mini / "ytid_map.csv").open(newline="") as stream:
        filenames = {row["YTID"]: row["filename"] for row in csv.DictReader(stream)}
    wanted = {ytid: name for ytid, name in filenames.items() if clips[name]["fold"] in {"1", "2", "3"}}
    (tmp_path / "ids.txt").write_text("\n".join(sorted(wanted)))
    options = PrepareOptions(
        segments=(mini / "segments.csv",),
        labels=mini / "class_labels_indices.csv",
        audio_dir=(real_data / "audio",),
        output=tmp_path / "train.json",
        captions="each",
        check="decode",
        name_map=mini / "ytid_map.csv",
        ids=tmp_path / "ids.txt",
    )
    result = prepare_audioset(options)
    rows = read_manifest(result.manifest)
    assert (result.segments, result.used_clips, result.rows, result.rejected) == (294, 294, len(rows), {})
    assert read_rejects(result.rejects) == []
    assert not [row.wav for row in rows if row.wav.name.startswith("4-")]
    for row in rows:
        assert row.wav == real_data / "audio" / wanted[row.id]
        assert row.wav.is_file()
        clip = clips[row.wav.name]
        assert (row.caption == clip["audioset_label"]) == (row.labels == (clip["mid"],))
    primary = {row.id for row in rows if row.labels == (clips[row.wav.name]["mid"],)}
    assert primary == set(wanted)
    assert result.captions == Counter(row.caption for row in rows)
    assert sorted({row.caption for row in rows if row.wav.name.endswith("-0.ogg")}) == ["Bark", "Dog"]

    single = prepare_audioset(replace(options, captions="single", output=tmp_path / "single.json", check="header"))
    ids_of_many = {ytid for ytid, count in Counter(row.id for row in rows).items() if count > 1}
    assert {row.id for row in read_manifest(single.manifest)} == set(wanted) - ids_of_many
    assert single.rejected == {"several labels": len(ids_of_many)}
