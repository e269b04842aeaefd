"""Joined Ogg streams, and Ogg files without their end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio.ogg_pages import joined_ogg, ogg_is_truncated
from dplass_cli.audio.reading import audio_info, read_audio
from dplass_cli.audio.source import UnsupportedAudio

RATE = 48000


def write_ogg(path: Path, seconds: int, codec: str, channels: int = 2) -> bytes:
    noise = np.random.default_rng(seconds).uniform(-0.3, 0.3, (seconds * RATE, channels))
    soundfile.write(path, noise, RATE, format="OGG", subtype=codec)
    return path.read_bytes()


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_joined_streams_are_read_one_after_the_other(tmp_path: Path, codec: str) -> None:
    paths = [tmp_path / f"{seconds}.ogg" for seconds in (1, 3, 2)]
    joined = tmp_path / "joined.ogg"
    joined.write_bytes(b"".join(write_ogg(path, int(path.stem), codec) for path in paths))
    audio, _ = read_audio(joined)
    assert audio.shape == (2, 6 * RATE)
    np.testing.assert_array_equal(audio, np.concatenate([read_audio(path)[0] for path in paths], axis=1))
    part, _ = read_audio(joined, 0.9, 4.1)
    np.testing.assert_allclose(part, audio[:, round(0.9 * RATE) : round(4.1 * RATE)], atol=1e-3)


def test_joined_streams_that_differ_in_channels_are_refused(tmp_path: Path) -> None:
    contents = [write_ogg(tmp_path / "a.ogg", 1, "VORBIS", channels) for channels in (1, 2)]
    (tmp_path / "joined.ogg").write_bytes(b"".join(contents))
    with pytest.raises(UnsupportedAudio, match="its audio changes at 1 s from 1 channel at 48000 Hz to 2 channels"):
        audio_info(tmp_path / "joined.ogg")


def test_one_stream_has_no_parts(tmp_path: Path) -> None:
    write_ogg(tmp_path / "a.ogg", 1, "VORBIS")
    with (tmp_path / "a.ogg").open("rb") as stream:
        assert joined_ogg(stream) == []
        assert not ogg_is_truncated(stream)


def test_joined_streams_without_their_end_are_read_with_a_note(tmp_path: Path) -> None:
    content = write_ogg(tmp_path / "a.ogg", 1, "VORBIS") + write_ogg(tmp_path / "b.ogg", 3, "VORBIS")
    (tmp_path / "cut.ogg").write_bytes(content[: len(content) // 2])
    info = audio_info(tmp_path / "cut.ogg")
    assert info.note == "truncated"
    assert RATE < info.frames < 3 * RATE
    assert read_audio(tmp_path / "cut.ogg")[0].shape == (2, info.frames)
