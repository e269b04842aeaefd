"""FLAC files that were joined."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio import flac_frames
from dplass_cli.audio.flac_frames import joined_flac
from dplass_cli.audio.reading import audio_info, even_blocks, read_audio, read_blocks
from dplass_cli.audio.source import UnsupportedAudio

RATE = 16000


def write_flac(path: Path, seconds: float, seed: int = 0, channels: int = 1) -> bytes:
    noise = np.random.default_rng(seed).uniform(-0.3, 0.3, (round(seconds * RATE), channels))
    soundfile.write(path, noise, RATE, format="FLAC", subtype="PCM_16")
    return path.read_bytes()


def expected(*contents: bytes, folder: Path) -> np.ndarray:
    audio = []
    for number, content in enumerate(contents):
        (folder / f"part{number}.flac").write_bytes(content)
        audio.append(read_audio(folder / f"part{number}.flac")[0])
    return np.concatenate(audio, axis=1)


@pytest.mark.parametrize("lengths", [(1.0, 2.5, 0.7), (1.0, 1.0), (0.01, 0.01)])
@pytest.mark.parametrize("tag", [b"", b"TAG" + bytes(125)], ids=["bare", "tagged"])
def test_joined_files_are_read_one_after_the_other(tmp_path: Path, lengths: tuple[float, ...], tag: bytes) -> None:
    contents = [write_flac(tmp_path / "a.flac", length, seed) + tag for seed, length in enumerate(lengths)]
    joined = tmp_path / "joined.flac"
    joined.write_bytes(b"".join(contents))
    whole = expected(*contents, folder=tmp_path)
    assert audio_info(joined).frames == whole.shape[1] == sum(round(length * RATE) for length in lengths)
    np.testing.assert_array_equal(read_audio(joined)[0], whole)
    blocks = read_blocks(joined, even_blocks(whole.shape[1], 777))
    np.testing.assert_array_equal(np.concatenate(list(blocks), axis=1), whole)
    start, end = 0.4 * lengths[0], sum(lengths) - 0.3 * lengths[-1]
    part, _ = read_audio(joined, start, end)
    np.testing.assert_array_equal(part, whole[:, round(start * RATE) : round(end * RATE)])


@pytest.mark.parametrize("unknown", [(True, False), (False, True), (True, True)])
def test_joined_files_without_their_lengths_are_read_to_their_ends(tmp_path: Path, unknown: tuple[bool, ...]) -> None:
    contents = [write_flac(tmp_path / "a.flac", length, seed) for seed, length in enumerate((1.0, 0.7))]
    whole = expected(*contents, folder=tmp_path)
    open_ended = [
        content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:] if without else content
        for content, without in zip(contents, unknown, strict=True)
    ]
    (tmp_path / "j.flac").write_bytes(b"".join(open_ended))
    assert audio_info(tmp_path / "j.flac").frames == whole.shape[1]
    np.testing.assert_array_equal(read_audio(tmp_path / "j.flac")[0], whole)


def test_joined_files_that_differ_in_channels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "j.flac").write_bytes(b"".join(write_flac(tmp_path / "a.flac", 1, 0, channels) for channels in (1, 2)))
    with pytest.raises(UnsupportedAudio, match="its audio changes at 1 s from 1 channel at 16000 Hz to 2 channels"):
        audio_info(tmp_path / "j.flac")


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("alike", [True, False], ids=["of one length", "of different lengths"])
def test_large_joined_files_are_noticed_by_their_frames(tmp_path: Path, count: int, alike: bool) -> None:
    seconds = [40.0 if alike else 60.0 / number for number in range(1, count + 1)]
    contents = [write_flac(tmp_path / "a.flac", length, seed) for seed, length in enumerate(seconds)]
    (tmp_path / "j.flac").write_bytes(b"".join(contents))
    assert (tmp_path / "j.flac").stat().st_size > flac_frames._SEARCHED_WHOLE
    with (tmp_path / "j.flac").open("rb") as stream:
        parts = joined_flac(stream, 0)
    stops = list(itertools.accumulate(map(len, contents)))
    assert [(part.start, part.stop) for part in parts] == list(zip([0, *stops[:-1]], stops, strict=True))


def test_a_large_file_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_flac(tmp_path / "a.flac", 60.0)
    monkeypatch.setattr(flac_frames, "mmap", None)
    with (tmp_path / "a.flac").open("rb") as stream:
        assert joined_flac(stream, 0) == []
