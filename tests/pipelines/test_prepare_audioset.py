"""From segment lists and clips to a manifest."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoded_audio import write_encoded
from hypothesis import given, settings
from hypothesis import strategies as st

from dplass_cli.audio.reading import audio_info, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.prepare.prepare_result import ClassCount
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_audioset_options import PrepareAudiosetOptions
from dplass_cli.pipelines.prepare_audioset import prepare_audioset

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

    def options(self, **changes: Any) -> PrepareAudiosetOptions:
        """Write the list and return the options that prepare it."""
        segments = self.folder / "segments.csv"
        segments.write_text(
            "# one\n# two\n# YTID, start_seconds, end_seconds, positive_labels\n" + "\n".join(self.lines)
        )
        plain = PrepareAudiosetOptions(
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
    assert result.classes == {"Baby cry, infant cry": ClassCount(1), "Dog": ClassCount(1, 1), "Bark": ClassCount(0, 1)}


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
    assert result.classes == {"Dog": ClassCount(2), "Bark": ClassCount(1)}


def test_joined_gives_one_row_with_all_labels(corpus: Corpus) -> None:
    path = corpus.clip("abc", "/m/bark", "/m/dog")
    result = prepare_audioset(corpus.options(captions="joined"))
    assert read_manifest(result.manifest) == [Row(path, "Bark and dog", ("/m/bark", "/m/dog"), "abc")]


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
    columns = {"start": "30.0", "end": "40.0", "reason": "missing", "path": "", "labels": "/m/dog"}
    assert rejects[0] == {"ytid": "gone", **columns}
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
    with pytest.raises(InputError, match=r"no usable clip among 2 clips \(several labels: 1, unknown label: 1\)"):
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
        ({"max_missing": 1.5}, "max_missing .*: must be from 0 to 1"),
        ({"max_missing": float("nan")}, "max_missing .*: must be from 0 to 1"),
        ({"output": Path(__file__).parent}, "is a folder"),
    ],
)
def test_wrong_options_are_refused(corpus: Corpus, changes: dict[str, Any], message: str) -> None:
    corpus.clip("abc", "/m/dog")
    with pytest.raises(InputError, match=message):
        prepare_audioset(corpus.options(**changes))


def test_an_empty_list_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"segments\.csv: no segments in it"):
        prepare_audioset(corpus.options())


# Whole runs


def test_progress_ends_at_the_number_of_usable_clips(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog")
    for number in range(2000):
        corpus.segment(f"gone{number}", "/m/dog")
    seen: dict[str, tuple[int, int]] = {}
    prepare_audioset(corpus.options(max_missing=1.0), lambda done, total, what: seen.update({what: (done, total)}))
    assert (seen["checking clips"], seen["writing the manifest"]) == ((1, 1), (1, 1))


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
    options = PrepareAudiosetOptions(
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
    assert {name: count.used for name, count in result.classes.items()} == Counter(row.caption for row in rows)
    assert sorted({row.caption for row in rows if row.wav.name.endswith("-0.ogg")}) == ["Bark", "Dog"]

    single = prepare_audioset(replace(options, captions="single", output=tmp_path / "single.json", check="header"))
    ids_of_many = {ytid for ytid, count in Counter(row.id for row in rows).items() if count > 1}
    assert {row.id for row in read_manifest(single.manifest)} == set(wanted) - ids_of_many
    assert single.rejected == {"several labels": len(ids_of_many)}


def test_faults_of_real_clips_are_found(real_data: Path, tmp_path: Path) -> None:
    """40 files deleted, 10 cut, 5 emptied, 3 renamed: rejected are exactly these, with the right reasons."""
    mini, audio = real_data / "audioset_mini", tmp_path / "audio"
    shutil.copytree(real_data / "audio", audio)
    with (mini / "ytid_map.csv").open(newline="") as stream:
        filenames = {row["YTID"]: row["filename"] for row in csv.DictReader(stream)}
    ids = random.Random(0).sample(sorted(filenames), 58)
    wanted = {}
    for number, ytid in enumerate(ids):
        path = audio / filenames[ytid]
        path.chmod(0o644)
        if number < 40:
            path.unlink()
        elif number < 50:
            path.write_bytes(path.read_bytes()[: path.stat().st_size * (number - 39) // 11])
        elif number < 55:
            path.write_bytes(b"")
        else:
            path.rename(audio / f"renamed {number}.ogg")
        wanted[ytid] = "truncated" if 40 <= number < 50 else "zero-length file" if 50 <= number < 55 else "missing"
    options = PrepareAudiosetOptions(
        segments=(mini / "segments.csv",),
        labels=mini / "class_labels_indices.csv",
        audio_dir=(audio,),
        output=tmp_path / "train.json",
        captions="joined",
        name_map=mini / "ytid_map.csv",
    )
    result = prepare_audioset(options)
    assert {row["ytid"]: row["reason"] for row in read_rejects(result.rejects)} == wanted
    assert {row.id for row in read_manifest(result.manifest)} == set(filenames) - set(wanted)
    assert result.audio is not None
    assert result.audio.sample_rates == {44100: 332}
    assert prepare_audioset(replace(options, check="decode")).rejected == result.rejected


@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["-aa", "Y-aa", "b_1", "#c"]), st.lists(st.sampled_from([*LABELS, "/m/no"]), min_size=1)
        ),
        min_size=1,
    )
)
@settings(max_examples=40)
def test_repeated_ids_and_unknown_labels_have_different_reasons(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, list[str]]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "repeated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    corpus = Corpus(folder)
    (folder / "files.txt").write_text("/clips/-aa.wav\n/clips/YY-aa.wav\n/clips/b_1.wav\n/clips/good.wav\n")
    wanted: list[tuple[str, str]] = []
    used: list[tuple[str, str]] = [("good", "Dog")]
    seen: set[str] = set()
    corpus.segment("good", "/m/dog")
    for ytid, mids in lines:
        corpus.segment(ytid, *mids)
        known = [mid for mid in dict.fromkeys(mids) if mid in LABELS]
        if ytid.startswith("#"):
            continue  # a comment
        if ytid in seen or not known:
            wanted.append((ytid, "duplicate id" if ytid in seen else "unknown label"))
        else:
            used += [(ytid, LABELS[mid]) for mid in known]
        seen.add(ytid)
    result = prepare_audioset(corpus.options(captions="each", check="none", file_list=folder / "files.txt"))
    assert [(row.id, row.caption) for row in read_manifest(result.manifest)] == used
    assert [(row["ytid"], row["reason"]) for row in read_rejects(result.rejects)] == wanted


# Other captions, and balance


def test_captions_may_come_from_a_file(corpus: Corpus) -> None:
    path = corpus.clip("-bc", "/m/dog")
    corpus.clip("plain", "/m/dog")
    (corpus.folder / "captions.csv").write_text(
        'audiocap_id,youtube_id,start_time,caption\n1,-bc,30,"A dog, far away"\n2,-bc,30,Barking\n3,gone,0,Rain\n'
    )
    options = corpus.options(captions="file", caption_file=corpus.folder / "captions.csv")
    result = prepare_audioset(options)
    assert read_manifest(result.manifest) == [
        Row(path, "A dog, far away", ("/m/dog",), "-bc"),
        Row(path, "Barking", ("/m/dog",), "-bc"),
    ]
    assert result.rejected == {"no caption": 1}
    for lacking in ({"captions": "joined"}, {"caption_file": None}):
        with pytest.raises(InputError, match=r"--captions file and --caption-file"):
            prepare_audioset(replace(options, **lacking))


def test_labels_are_excluded_by_name(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog", "/m/bark")
    corpus.clip("def", "/m/dog")
    result = prepare_audioset(corpus.options(captions="each", exclude_label=("bark",)))
    assert [row.id for row in read_manifest(result.manifest)] == ["def"]
    assert result.rejected == {"excluded label": 1}
    with pytest.raises(InputError, match=r"--exclude-label 'Barkk': not in .*labels\.csv; did you mean 'Bark'"):
        prepare_audioset(corpus.options(exclude_label=("Barkk",)))


def test_only_classes_of_a_domain_are_kept(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog", "/m/bark")
    corpus.clip("def", "/m/cry")
    domains = corpus.folder / "domains.json"
    entry = '"cluster{0}": {{"cluster_id": {0}, "categories_in_cluster": ["{1}"]}}'
    domains.write_text("{" + entry.format(3, "Bark") + ", " + entry.format(5, "Dog") + "}")
    result = prepare_audioset(corpus.options(captions="each", include_domain=(3,), domains=domains))
    assert [(row.id, row.caption) for row in read_manifest(result.manifest)] == [("abc", "Bark")]
    assert result.rejected == {"other domain": 1}
    with pytest.raises(InputError, match=r"domains\.json: no domain 4; it has 3, 5"):
        prepare_audioset(corpus.options(include_domain=(4,), domains=domains))
    with pytest.raises(InputError, match="--include-domain and --domains"):
        prepare_audioset(corpus.options(include_domain=(4,)))


def test_rare_classes_come_first_where_classes_are_limited(corpus: Corpus) -> None:
    corpus.clip("many", "/m/dog", "/m/bark")
    corpus.clip("rare", "/m/dog", "/m/cry")
    corpus.clip("late", "/m/dog")
    result = prepare_audioset(corpus.options(captions="joined", max_per_class=1))
    assert [row.id for row in read_manifest(result.manifest)] == ["many"]  # bark and cry are as rare; bark is first
    corpus.clip("again", "/m/bark")
    result = prepare_audioset(corpus.options(captions="joined", max_per_class=1))
    assert [row.id for row in read_manifest(result.manifest)] == ["rare", "again"]
    assert result.rejected == {"over --max-per-class": 2}
    assert result.classes["Dog"] == ClassCount(1, 2)
    each = prepare_audioset(corpus.options(captions="each", max_per_class=2))
    assert Counter(row.caption for row in read_manifest(each.manifest)) == {
        "Dog": 2,
        "Bark": 2,
        "Baby cry, infant cry": 1,
    }
    assert [(row["ytid"], row["labels"]) for row in read_rejects(each.rejects)] == [("late", "/m/dog")]


def test_strong_labels_are_read(corpus: Corpus) -> None:
    path = corpus.clip("-b_c", "/m/dog", name="-b_c_30000.wav")
    (corpus.folder / "strong.tsv").write_text(
        "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n"
        "-b_c_30000\t4.0\t5.5\t/m/dog\n-b_c_30000\t0.0\t10.0\t/m/bark\n-b_c_30000\t6.0\t7.0\t/m/dog\n"
    )
    (corpus.folder / "names.tsv").write_text("/m/dog\tDog\n/m/bark\tBark\n")
    options = corpus.options(segments=(corpus.folder / "strong.tsv",), captions="joined")
    result = prepare_audioset(replace(options, labels=corpus.folder / "names.tsv"))
    assert read_manifest(result.manifest) == [Row(path, "Bark and dog", ("/m/bark", "/m/dog"), "-b_c")]


def test_a_pattern_finds_clips(corpus: Corpus) -> None:
    path = corpus.clip("-bc", "/m/dog", name="clip of -bc at 30.wav")
    result = prepare_audioset(corpus.options(name_pattern="clip of {id} at {start:.0f}"))
    assert [row.wav for row in read_manifest(result.manifest)] == [path]


def test_captions_are_cleaned_on_request(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog")
    (corpus.folder / "captions.csv").write_text("id,caption\nabc,a dog dog  barks with echos .\n")
    options = corpus.options(captions="file", caption_file=corpus.folder / "captions.csv", clean=True)
    result = prepare_audioset(options)
    assert [row.caption for row in read_manifest(result.manifest)] == ["A dog barks with echoes"]
    assert result.cleaned == {"a dog dog  barks with echos . -> A dog barks with echoes": 1}


# Copies


def test_copies_are_made_once_and_again_where_the_source_changed(corpus: Corpus) -> None:
    first = corpus.clip("abc", "/m/dog", level=0.25)
    loud = corpus.clip("def", "/m/dog", level=1.5)
    options = corpus.options(convert="32k-mono-flac")
    result = prepare_audioset(options)
    assert result.converted == {"made": 2, "found": 0, "turned_down": 1}
    copies = [row.wav for row in read_manifest(result.manifest)]
    assert all(copy.is_relative_to(corpus.folder / "out" / "train-32k-mono-flac") for copy in copies)
    info = audio_info(copies[0])
    assert (info.sample_rate, info.channels, info.format, info.frames) == (32000, 1, "FLAC", 1600)
    np.testing.assert_allclose(read_mono(copies[0], 32000)[400:1200], 0.25, atol=1e-3)
    assert read_mono(copies[1], 32000).max() <= 1.0
    copies[1].unlink()
    write_audio(first, np.full((1, 1600), 0.5, np.float32), 16000)
    again = prepare_audioset(options)
    assert again.converted == {"made": 2, "found": 0, "turned_down": 1}
    assert audio_info(copies[0]).frames == 3200
    assert prepare_audioset(options).converted == {"made": 0, "found": 2, "turned_down": 0}
    loud.write_bytes(loud.read_bytes()[:1000])
    assert prepare_audioset(options).rejected == {"truncated": 1}
    with pytest.raises(InputError, match="32k-mono-flac"):
        corpus.options(convert="flac")


def test_formats_that_only_ffmpeg_decodes_are_used(corpus: Corpus) -> None:
    corpus.clip("abc", "/m/dog")
    for ytid in ("def", "ghi"):
        corpus.segment(ytid, "/m/dog")
        (corpus.folder / "audio" / f"{ytid}.m4a").write_bytes(b"")
    tone = 0.25 * np.sin(np.arange(32000) / 5)[None]
    write_encoded(corpus.folder / "audio" / "def.m4a", tone, 16000, "ipod", "aac")
    assert prepare_audioset(corpus.options()).rejected == {"zero-length file": 1}
    result = prepare_audioset(corpus.options(convert="32k-mono-flac", check="decode"))
    assert result.rejected == {"zero-length file": 1}
    copy = next(row.wav for row in read_manifest(result.manifest) if row.id == "def")
    audio = read_mono(copy, 32000)
    assert abs(len(audio) - 64000) < 2000
    assert 0.15 < np.abs(audio[8000:56000]).max() < 0.35


# Names


def long_name(stem: str) -> str:
    """A name of 250 bytes."""
    return stem + "é" * ((246 - len(stem.encode())) // 2) + "x" * ((246 - len(stem.encode())) % 2) + ".wav"


NAMES = ("dog ö 犬 🐕.wav", "two\nlines.wav", 'quote " and comma, .wav', "-dash & $HOME `x`.wav", long_name("long "))


def test_any_name_survives_to_the_manifest_and_its_copies(corpus: Corpus) -> None:
    paths = []
    for number, name in enumerate(NAMES):
        (corpus.folder / "audio" / name.removesuffix(".wav")).mkdir()
        paths.append(corpus.clip(f"id{number}", "/m/dog", name=f"{name.removesuffix('.wav')}/{name}"))
    with (corpus.folder / "map.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [["YTID", "filename"], *([f"id{number}", name] for number, name in enumerate(NAMES))]
        )
    options = corpus.options(name_map=corpus.folder / "map.csv")
    assert [row.wav for row in read_manifest(prepare_audioset(options).manifest)] == paths
    converted = prepare_audioset(replace(options, convert="32k-mono-flac"))
    copies = [row.wav for row in read_manifest(converted.manifest)]
    assert len(set(copies)) == len(paths)
    assert all(copy.is_file() for copy in copies)


def test_a_name_that_is_not_utf8_is_used(corpus: Corpus) -> None:
    folder = os.fsdecode(os.fsencode(corpus.folder / "audio") + b"/\xff")
    os.mkdir(folder)  # noqa: PTH102
    os.rename(corpus.clip("any", "/m/dog"), f"{folder}/any.wav")  # noqa: PTH104
    result = prepare_audioset(corpus.options(convert="32k-mono-flac"))
    (row,) = read_manifest(result.manifest)
    assert row.wav.is_file()
    result = prepare_audioset(corpus.options())
    assert result.manifest.read_text("utf-8").count("\\udcff") == 1  # valid UTF-8, and valid JSON
    assert [row.wav for row in read_manifest(result.manifest)] == [Path(folder) / "any.wav"]


# Millions


@pytest.mark.slow
def test_two_million_segments_fit_into_two_gigabytes(tmp_path: Path, corpus: Corpus) -> None:
    """All of AudioSet: 2,084,320 segments and a list of two million files, in a process of its own."""
    count, listed = 2_084_320, 2_000_000
    ids = [f"{number:08d}-_a" for number in range(count)]
    mids = list(LABELS)
    with (tmp_path / "segments.csv").open("w") as stream:
        for number, ytid in enumerate(ids):
            chosen = ",".join(mids[: 1 + number % 3])
            stream.write(f'{ytid}, {number % 600}.000, {number % 600 + 10}.000, "{chosen}"\n')
    with (tmp_path / "files.txt").open("w") as stream:
        stream.writelines(f"/data/audioset/part{number % 41:02d}/Y{ids[number]}.wav\n" for number in range(listed))
    verb = ["prepare-audioset", "--check", "none", "--captions", "each", "--json"]
    files = ["segments.csv", "labels.csv", "files.txt", "train.json"]
    paths = zip(("--segments", "--labels", "--file-list", "-o"), (str(tmp_path / name) for name in files), strict=True)
    given = [*verb, *(word for pair in paths for word in pair)]
    with (tmp_path / "result.json").open("w") as stream:
        done = subprocess.Popen([sys.executable, "-m", "dplass_cli", *given], stdout=stream)
        _, status, usage = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    assert done.returncode == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["used_clips"], result["rejected"]) == (listed, {"missing": count - listed})
    assert usage.ru_maxrss < 2_000_000  # kilobytes
    rows = read_manifest(tmp_path / "train.json")
    assert len(rows) == result["rows"] == 2 * listed - 1 - (listed % 3 == 1)
