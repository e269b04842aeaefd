"""Corpora of the table: each in the form in which it is published, small, and read by the one reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.audio.reading import audio_info
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.prepare.corpora import CORPORA
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import ClipLimits, CorpusOptions
from dplass_cli.pipelines.prepare import prepare_corpus

TONE = (0.5 * np.sin(np.arange(1600) / 5)).astype(np.float32)[None]

Rows = set[tuple[str, str, str]]
"""(path below the corpus, caption, id)"""


def clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, TONE, 16000, "PCM_16")


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def audiocaps(root: Path) -> Rows:
    text(
        root / "dataset" / "train.csv",
        "audiocap_id,youtube_id,start_time,caption\n"
        '1,-0RWZT-miFs,30,"A dog barks, then howls"\n2,-0RWZT-miFs,30,Dogs\n3,bbbbbbbbbbb,0,Rain\n',
    )
    clip(root / "audio" / "Y-0RWZT-miFs.wav")
    clip(root / "audio" / "part" / "bbbbbbbbbbb_0_10.flac")
    first = ("audio/Y-0RWZT-miFs.wav", "-0RWZT-miFs")
    return {
        (first[0], "A dog barks, then howls", first[1]),
        (first[0], "Dogs", first[1]),
        ("audio/part/bbbbbbbbbbb_0_10.flac", "Rain", "bbbbbbbbbbb"),
    }


def audioldm(root: Path) -> Rows:
    paths = {"audioset": {"train": "data/metadata/datafiles/train.json", "class_label_indices": "no.csv"}}
    text(
        root / "data" / "metadata" / "dataset_root.json",
        json.dumps({"audioset": "data/audioset", "comments": {}, "metadata": {"path": paths}}),
    )
    text(
        root / "data" / "metadata" / "datafiles" / "train.json",
        json.dumps({"data": [{"wav": "zip/Ya.wav", "labels": "/m/09x0r,/m/05zppz", "caption": "Speech"}]}),
    )
    clip(root / "data" / "audioset" / "zip" / "Ya.wav")
    return {("data/audioset/zip/Ya.wav", "Speech", "zip/Ya")}


def clotho(root: Path) -> Rows:
    text(
        root / "clotho_captions_development.csv",
        "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n"
        'Radio  Garble .wav,One,"Two, three",Three,Four,Five\nb.wav,Six,Seven,Eight,Nine,Nine\n',
    )
    clip(root / "development" / "Radio Garble.wav")
    clip(root / "development" / "b.wav")
    return {
        *(("development/Radio Garble.wav", said, "Radio  Garble") for said in ("One", "Two, three", "Three")),
        *(("development/Radio Garble.wav", said, "Radio  Garble") for said in ("Four", "Five")),
        *(("development/b.wav", said, "b") for said in ("Six", "Seven", "Eight", "Nine")),
    }


def own_csv(root: Path) -> Rows:
    text(root / "mine.csv", "wav,caption\nx/1.wav,A dog\ny/1.wav,Rain\n")
    clip(root / "x" / "1.wav")
    clip(root / "y" / "1.wav")
    return {("x/1.wav", "A dog", "x/1"), ("y/1.wav", "Rain", "y/1")}


def esc50(root: Path) -> Rows:
    text(
        root / "meta" / "esc50.csv",
        "filename,fold,target,category,esc10,src_file,take\n"
        "1-100032-A-0.wav,1,0,dog,True,100032,A\n5-1-A-30.wav,5,30,door_wood_knock,False,1,A\n",
    )
    clip(root / "audio" / "1-100032-A-0.wav")
    clip(root / "audio" / "5-1-A-30.wav")
    return {
        ("audio/1-100032-A-0.wav", "dog", "1-100032-A-0"),
        ("audio/5-1-A-30.wav", "door wood knock", "5-1-A-30"),
    }


def folder(root: Path) -> Rows:
    clip(root / "a dog barking" / "1.wav")
    clip(root / "a dog barking" / "deep" / "1.wav")
    clip(root / "door_knock" / "x.flac")
    clip(root / "nameless.wav")
    return {
        ("a dog barking/1.wav", "a dog barking", "a dog barking/1"),
        ("a dog barking/deep/1.wav", "a dog barking", "a dog barking/deep/1"),
        ("door_knock/x.flac", "door knock", "door_knock/x"),
    }


def fsd50k(root: Path) -> Rows:
    text(
        root / "FSD50K.ground_truth" / "dev.csv",
        'fname,labels,mids,split\n64760,"Electric_guitar,Guitar","/m/02sgy,/m/0342h",train\n1,Rain,/m/06mb1,val\n',
    )
    text(root / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids\n2,Rain,/m/06mb1\n")
    clip(root / "FSD50K.dev_audio" / "64760.wav")
    clip(root / "FSD50K.dev_audio" / "1.wav")
    guitar = "FSD50K.dev_audio/64760.wav"
    return {
        (guitar, "Electric guitar", "64760"),
        (guitar, "Guitar", "64760"),
        ("FSD50K.dev_audio/1.wav", "Rain", "1"),
    }


def musdb18(root: Path) -> Rows:
    for song in ("train/A Classic - Song", "test/Other - Song"):
        for stem in ("mixture", "vocals", "drums", "bass", "other"):
            clip(root / song / f"{stem}.wav")
    said = {"vocals": "singing voice", "drums": "drums", "bass": "bass"}
    return {(f"train/A Classic - Song/{stem}.wav", caption, "A Classic - Song") for stem, caption in said.items()}


def musdb18_sources(root: Path) -> Rows:
    for song in ("train/A Classic - Song", "test/Other - Song"):
        for stem in ("mixture", "vocals", "drums", "bass", "other"):
            clip(root / song / f"{stem}.wav")
    names = ("vocals", "drums", "bass", "other")
    return {(f"train/A Classic - Song/{name}.wav", name, "A Classic - Song") for name in names}


def music21(root: Path) -> Rows:
    videos = {"acoustic_guitar": ["-8AgRz5Jdrw"], "tuba": ["aaaaaaaaaaa"]}
    text(root / "MUSIC21_solo_videos.json", json.dumps({"version": 2.0, "videos": videos}))
    clip(root / "solo" / "-8AgRz5Jdrw.wav")
    clip(root / "solo" / "aaaaaaaaaaa.wav")
    return {
        ("solo/-8AgRz5Jdrw.wav", "acoustic guitar", "-8AgRz5Jdrw"),
        ("solo/aaaaaaaaaaa.wav", "tuba", "aaaaaaaaaaa"),
    }


def vggsound(root: Path) -> Rows:
    text(
        root / "vggsound.csv",
        '---g-f_I2yQ,1,"people marching",test\n--0PQM4-hqg,30,"bird chirping, tweeting",train\n',
    )
    clip(root / "audio" / "---g-f_I2yQ_000001.wav")
    clip(root / "audio" / "--0PQM4-hqg_30.wav")
    return {
        ("audio/---g-f_I2yQ_000001.wav", "people marching", "---g-f_I2yQ"),
        ("audio/--0PQM4-hqg_30.wav", "bird chirping, tweeting", "--0PQM4-hqg"),
    }


def wavcaps(root: Path) -> Rows:
    entries = {
        "SoundBible/sb_final.json": [{"id": "2219", "caption": "An airplane is landing.", "duration": 14.1}],
        "AudioSet_SL/as_final.json": {"num_captions_per_audio": 1, "data": [{"id": "Yab_c.wav", "caption": "Wind."}]},
    }
    for name, content in entries.items():
        text(root / "json_files" / name, json.dumps(content))
    text(root / "json_files" / "blacklist" / "exclude.json", json.dumps({"FreeSound": ["1"]}))
    clip(root / "audio" / "2219.flac")
    clip(root / "audio" / "Yab_c.flac")
    return {
        ("audio/2219.flac", "An airplane is landing.", "2219"),
        ("audio/Yab_c.flac", "Wind.", "Yab_c.wav"),
    }


MAKERS: dict[str, Callable[[Path], Rows]] = {
    "audiocaps": audiocaps,
    "audioldm": audioldm,
    "clotho": clotho,
    "csv": own_csv,
    "esc50": esc50,
    "folder": folder,
    "fsd50k": fsd50k,
    "musdb18": musdb18,
    "musdb18-sources": musdb18_sources,
    "music21": music21,
    "vggsound": vggsound,
    "wavcaps": wavcaps,
}


def prepared(root: Path, kind: str, **changes: Any) -> Rows:
    result = prepare_corpus(CorpusOptions(kind=kind, folder=root, output=root.parent / "out.json", **changes))
    rows = read_manifest(result.manifest)
    assert result.rows == len(rows)
    return {(str(row.wav.relative_to(root)), row.caption, row.id) for row in rows}


@pytest.mark.parametrize("kind", [kind for kind, corpus in CORPORA.items() if not corpus.verb])
def test_a_corpus_is_read_in_its_published_form(tmp_path: Path, kind: str) -> None:
    wanted = MAKERS[kind](tmp_path / "corpus")
    assert prepared(tmp_path / "corpus", kind) == wanted


def test_one_name_in_two_parts_is_the_file_of_each(tmp_path: Path) -> None:
    for part, caption in (("FreeSound", "A dog barks."), ("SoundBible", "An airplane lands.")):
        text(tmp_path / "json" / part / "x_final.json", json.dumps([{"id": "1935", "caption": caption}]))
        clip(tmp_path / "audio" / f"{part}_flac" / "1935.flac")
    assert prepared(tmp_path, "wavcaps") == {
        ("audio/FreeSound_flac/1935.flac", "A dog barks.", "1935"),
        ("audio/SoundBible_flac/1935.flac", "An airplane lands.", "1935"),
    }


def test_a_list_alone_is_enough_if_the_clips_are_next_to_it(tmp_path: Path) -> None:
    own_csv(tmp_path / "corpus")
    options = CorpusOptions(kind="csv", table=(tmp_path / "corpus" / "mine.csv",), output=tmp_path / "out.json")
    assert [row.caption for row in read_manifest(prepare_corpus(options).manifest)] == ["A dog", "Rain"]


def test_a_list_of_rejected_clips_is_not_taken_for_a_list_of_clips(tmp_path: Path) -> None:
    own_csv(tmp_path)
    options = CorpusOptions(kind="csv", folder=tmp_path, output=tmp_path / "train.json")
    assert prepare_corpus(options) == prepare_corpus(options)
    assert (tmp_path / "train-rejects.csv").is_file()


@pytest.mark.parametrize("copies", [None, "copies", "door_knock"])
def test_copies_of_an_earlier_run_are_not_taken_for_clips(tmp_path: Path, copies: str | None) -> None:
    wanted = {row[1:] for row in folder(tmp_path)}
    convert_dir = None if copies is None else tmp_path / copies
    for form in ("16k-mono-flac", "16k-mono-flac", "8k-mono-wav", None):
        options = CorpusOptions(
            kind="folder", folder=tmp_path, output=tmp_path / "train.json", convert=form, convert_dir=convert_dir
        )
        rows = read_manifest(prepare_corpus(options).manifest)
        assert {(row.caption, row.id) for row in rows} == wanted


def test_copies_of_two_rates_lie_in_one_folder(tmp_path: Path) -> None:
    own_csv(tmp_path)
    for rate in (8, 32):
        options = CorpusOptions(
            kind="csv",
            folder=tmp_path,
            output=tmp_path / f"{rate}.json",
            convert=f"{rate}k-mono-flac",
            convert_dir=tmp_path / "copies",
        )
        rows = read_manifest(prepare_corpus(options).manifest)
        assert {audio_info(row.wav).sample_rate for row in rows} == {rate * 1000}


def test_lines_are_chosen_by_their_columns(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    esc50(root)
    assert {row[1] for row in prepared(root, "esc50", where={"fold": "1,2,3,4"})} == {"dog"}
    vggsound(tmp_path / "vgg")
    assert {row[1] for row in prepared(tmp_path / "vgg", "vggsound", where={"split": "test"})} == {"people marching"}
    with pytest.raises(InputError, match=r"--where: no column 'folds' among .*; did you mean 'fold'"):
        prepared(root, "esc50", where={"folds": "1"})
    with pytest.raises(InputError, match="no row has fold="):
        prepared(root, "esc50", where={"fold": "9"})


def test_another_split_is_read(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    fsd50k(root)
    clip(root / "FSD50K.eval_audio" / "2.wav")
    assert prepared(root, "fsd50k", split="eval") == {("FSD50K.eval_audio/2.wav", "Rain", "2")}
    with pytest.raises(InputError, match=r"no \*\*/FSD50K.ground_truth/test.csv in it; give the file with --table"):
        prepared(root, "fsd50k", split="test")


def test_a_split_is_chosen_by_its_column_where_the_list_holds_all(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    vggsound(root)
    assert {row[1] for row in prepared(root, "vggsound", split="train")} == {"bird chirping, tweeting"}
    with pytest.raises(InputError, match=r"no part 'nonsense' for --split; it has test, train"):
        prepared(root, "vggsound", split="nonsense")


@pytest.mark.parametrize("kind", ["esc50", "csv", "music21", "wavcaps"])
def test_a_split_of_a_corpus_without_parts_is_refused(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / "corpus")
    with pytest.raises(InputError, match=r"no column 'split', so there are no parts; omit --split.*--where"):
        prepared(tmp_path / "corpus", kind, split="train")


def test_a_split_of_a_given_list_is_its_name_or_its_column(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    audioldm(root)
    fsd50k(root)
    assert len(prepared(root, "audioldm", split="train")) == 1
    table = root / "FSD50K.ground_truth" / "dev.csv"
    assert {row[2] for row in prepared(root, "fsd50k", split="dev", table=(table,))} == {"64760", "1"}
    assert {row[2] for row in prepared(root, "fsd50k", split="val", table=(table,))} == {"1"}


def test_clips_with_several_classes_are_captioned_as_wished(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    fsd50k(root)
    assert {row[1] for row in prepared(root, "fsd50k", captions="joined")} == {"Electric guitar and guitar", "Rain"}
    assert {row[1] for row in prepared(root, "fsd50k", captions="single")} == {"Rain"}


def test_any_columns_of_a_table_are_taken(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    text(
        root / "notes" / "list.csv",
        "clip id;,sound,path,from,to,more,mids\n"
        f'k1,A dog,one.wav,0.02,0.05,"Barking\nloudly",/m/dog\nk2,Rain,{root}/sub/two.wav,,,,\n',
    )
    clip(root / "one.wav")
    clip(root / "sub" / "two.wav")
    columns = {"wav": "path", "caption": "sound,more", "id": "clip id;", "start": "from", "end": "to", "labels": "mids"}
    result = prepare_corpus(
        CorpusOptions(
            kind="csv",
            table=(root / "notes" / "list.csv",),
            audio_dir=(root,),
            column=columns,
            output=tmp_path / "out.json",
        )
    )
    rows = [
        (row.wav.name, row.caption, row.id, row.start, row.end, row.labels) for row in read_manifest(result.manifest)
    ]
    assert rows == [
        ("one.wav", "A dog", "k1", 0.02, 0.05, ("/m/dog",)),
        ("one.wav", "Barking\nloudly", "k1", 0.02, 0.05, ("/m/dog",)),
        ("two.wav", "Rain", "k2", 0.0, None, ()),
    ]


def test_ranges_of_a_file_are_checked_and_counted_by_themselves(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    write_audio(root / "long.wav", np.tile(TONE, 360), 16000, "PCM_16")  # 36 seconds
    text(root / "list.csv", "wav,caption,start,end\nlong.wav,a,0,18\nlong.wav,b,1,1.5\nlong.wav,c,30,90\n")
    options = CorpusOptions(
        kind="csv", folder=root, output=tmp_path / "out.json", limits=ClipLimits(min_seconds=2), max_missing=0
    )
    result = prepare_corpus(options)
    assert [row.caption for row in read_manifest(result.manifest)] == ["a"]
    assert result.rejected == {"too short": 1, "range beyond the end": 1}
    assert result.audio is not None
    assert result.audio.hours == 0.005


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("file,caption\na.wav,x\n", {}, "no column 'wav' among file, caption; name the right one with --column"),
        ("wav,caption\na.wav\n", {}, "line 2: expected 2 fields, not 1"),
        ("wav,caption,start\na.wav,x,soon\n", {}, "line 2: start: expected seconds, not 'soon'"),
        ("wav,caption,start,end\na.wav,x,3,2\n", {}, "start and end must be seconds"),
        ("wav,caption\n", {}, "contains no records"),
        (
            "wav,caption\na.wav,x\n",
            {"column": {"labels": "x"}},
            "--column labels=x: no column 'x' among wav, caption",
        ),
        (
            "wav,caption\na.wav,x\n",
            {"column": {"caption": "caption,x"}},
            "no column 'x' among wav, caption; name the right one with --column",
        ),
        (
            "wav,caption\na.wav,x\n",
            {"column": {"sound": "x"}},
            "--column sound: must be one of caption, wav, captions, end",
        ),
        ("wav,caption\na.wav,x\n", {"captions": "file"}, "--captions file: must be one of single, each, joined"),
        ("wav,caption\nb.wav,x\n", {}, r"1 of 1 clips are missing \(looked for b"),
        ("wav,caption\na.wav,\n", {}, r"no usable clip among 1 clips \(no caption: 1\)"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, content: str, changes: dict[str, Any], message: str) -> None:
    clip(tmp_path / "corpus" / "a.wav")
    text(tmp_path / "corpus" / "list.csv", content)
    with pytest.raises(InputError, match=message):
        prepared(tmp_path / "corpus", "csv", **changes)


def test_other_folders_and_unknown_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be one of .*; did you mean 'clotho'"):
        prepared(tmp_path, "cloto")
    with pytest.raises(InputError, match="no such folder"):
        prepared(tmp_path / "gone", "esc50")
    with pytest.raises(InputError, match=r"no \*\*/esc50.csv in it"):
        prepared(tmp_path, "esc50")
    with pytest.raises(InputError, match="no audio files"):
        prepared(tmp_path, "folder")
    with pytest.raises(InputError, match="give its folder, or its list with --table"):
        prepare_corpus(CorpusOptions(kind="esc50", output=tmp_path / "out.json"))
