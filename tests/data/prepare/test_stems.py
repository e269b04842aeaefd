"""Stem files of MUSDB18: several tracks in one file, unpacked and prepared."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_audio import write_encoded

from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.prepare.stems import STEMS, stem_files, unpack_stems
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import CorpusOptions
from dplass_cli.pipelines.prepare import prepare_corpus


def song(folder: Path, name: str, tracks: int = 5) -> Path:
    """A song whose track n is a tone half as loud as track n - 1."""
    folder.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(np.arange(22050) * 0.1)
    return write_encoded(
        folder / f"{name}.stem.mp4", np.stack([tone, tone]).astype(np.float32), 44100, "mp4", "aac", tracks=tracks
    )


def test_each_track_becomes_the_file_of_its_stem(tmp_path: Path) -> None:
    path = song(tmp_path / "musdb" / "train", "A Song")
    unpack_stems([path], tmp_path / "musdb", tmp_path / "out")
    levels = []
    for stem in STEMS:
        audio, rate = soundfile.read(str(tmp_path / "out" / "train" / "A Song" / f"{stem}.wav"))
        assert (rate, audio.shape[1]) == (44100, 2)
        levels.append(float(np.sqrt(np.square(audio[5000:15000]).mean())))
    np.testing.assert_allclose(np.divide(levels[:-1], levels[1:]), 2.0, rtol=0.05)


def test_what_is_unpacked_already_is_kept(tmp_path: Path) -> None:
    path = song(tmp_path / "musdb" / "train", "A Song")
    for _ in range(2):
        unpack_stems([path], tmp_path / "musdb", tmp_path / "out")
        (tmp_path / "out" / "train" / "A Song" / "drums.wav").write_bytes(b"kept")
    assert (tmp_path / "out" / "train" / "A Song" / "drums.wav").read_bytes() == b"kept"


def test_a_file_without_all_stems_is_refused(tmp_path: Path) -> None:
    path = song(tmp_path / "musdb" / "train", "A Song", tracks=2)
    with pytest.raises(InputError, match=r"A Song\.stem\.mp4: has only 2 audio tracks.*'bass'"):
        unpack_stems([path], tmp_path / "musdb", tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "captions"),
    [
        ("musdb18", {"singing voice", "drums", "bass"}),
        ("musdb18-sources", {"vocals", "drums", "bass", "other"}),
    ],
)
def test_the_songs_of_a_split_are_prepared(kind: str, captions: set[str], tmp_path: Path) -> None:
    song(tmp_path / "musdb" / "train", "A Song")
    song(tmp_path / "musdb" / "test", "Another")
    assert [path.name for path in stem_files(tmp_path / "musdb", "test")] == ["Another.stem.mp4"]
    result = prepare_corpus(CorpusOptions(kind=kind, folder=tmp_path / "musdb", output=tmp_path / "train.json"))
    rows = read_manifest(result.manifest)
    assert {row.caption for row in rows} == captions
    assert {row.id for row in rows} == {"A Song"}
    assert all(row.wav.is_relative_to(tmp_path / "train-stems" / "train") for row in rows)


def write_stems(folder: Path, *stems: str) -> None:
    folder.mkdir(parents=True)
    for stem in stems:
        soundfile.write(str(folder / f"{stem}.wav"), np.full((800, 2), 0.1), 8000)


def test_a_stem_that_a_song_lacks_is_among_the_rejects(tmp_path: Path) -> None:
    write_stems(tmp_path / "musdb" / "train" / "A Song", "mixture", "vocals", "drums", "other")
    write_stems(tmp_path / "musdb" / "train" / "Voices alone", "vocals")
    result = prepare_corpus(CorpusOptions(kind="musdb18", folder=tmp_path / "musdb", output=tmp_path / "train.json"))
    assert sorted((row.id, row.caption) for row in read_manifest(result.manifest)) == [
        ("A Song", "drums"),
        ("A Song", "singing voice"),
        ("Voices alone", "singing voice"),
    ]
    with open(tmp_path / "train-rejects.csv", newline="") as stream:
        rejects = [(row["id"], row["reason"]) for row in csv.DictReader(stream)]
    assert rejects.count(("A Song", "missing")) == 1


def test_folders_without_stems_are_refused_with_what_is_expected(tmp_path: Path) -> None:
    write_stems(tmp_path / "musdb" / "train" / "A Song", "take1")
    options = CorpusOptions(kind="musdb18", folder=tmp_path / "musdb", output=tmp_path / "train.json")
    with pytest.raises(InputError, match=r"no usable clip .*; expected songs as train/SONG/mixture\.wav"):
        prepare_corpus(options)
    write_stems(tmp_path / "musdb" / "train" / "B", "mixture")
    with pytest.raises(InputError, match=r"no usable clip .*missing: 1.*; expected songs"):
        prepare_corpus(options)
