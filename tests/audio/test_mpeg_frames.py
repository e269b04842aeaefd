"""The length of MP3s: joined, without an index, with tags, and incomplete."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_audio import write_encoded

from dplass_cli.audio.mpeg_frames import mpeg_parts, parse_header
from dplass_cli.audio.reading import audio_info, read_audio, read_blocks
from dplass_cli.audio.source import UnsupportedAudio
from dplass_cli.data.prepare.checking import check_clip
from dplass_cli.errors import InputError

RATE = 44100
FRAME = 1152
DELAY = 529  # samples that the decoder leaves out at the start of a file


def write_mp3(path: Path, mode: str = "VARIABLE", seconds: int = 6, channels: int = 1) -> list[bytes]:
    """Write noise, a third of it silent, as MP3 and return its frames; the first is the index."""
    noise = np.random.default_rng(0).standard_normal((seconds * RATE // 3, channels)) * 0.1
    sound = np.concatenate([noise, 0 * noise, 3 * noise]).clip(-1, 1)
    form = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": mode, "compression_level": 0.4}
    with soundfile.SoundFile(path, "w", RATE, channels, **form) as stream:
        stream.write(sound)
    data, frames = path.read_bytes(), []
    while data:
        frame = parse_header(data)
        assert frame is not None
        frames.append(data[: frame.length])
        data = data[frame.length :]
    return frames


def ape_tag(content: bytes) -> bytes:
    """An APE tag with a cover picture, whose bytes look like frames."""
    item = len(content).to_bytes(4, "little") + bytes(4) + b"Cover Art (Front)\0" + content
    fields = (2000).to_bytes(4, "little") + (len(item) + 32).to_bytes(4, "little") + (1).to_bytes(4, "little")
    header, footer = 0xA0000000, 0x80000000
    start, end = (b"APETAGEX" + fields + kind.to_bytes(4, "little") + bytes(8) for kind in (header, footer))
    return start + item + end


ID3 = b"ID3\x03\0\0\0\0\0\x14" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\xff\xfb\x90\x64" * 5000 + b"\xff\xd9"


def test_an_mp3_with_an_index_is_read_completely_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    frames = write_mp3(path)
    assert read_audio(path)[0].shape == (1, 6 * RATE)
    path.write_bytes(b"".join(frames[: len(frames) // 3]))
    with pytest.raises(InputError, match=r"is \d\.\d+ s shorter than its header says"):
        read_audio(path)
    assert check_clip(path, "decode").fault == "truncated"


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125), ape_tag(JPEG), ape_tag(JPEG) + b"TAG" + bytes(125)])
@pytest.mark.parametrize("before", [b"", ID3])
def test_an_mp3_without_an_index_has_the_length_of_its_frames(
    tmp_path: Path, mode: str, before: bytes, behind: bytes
) -> None:
    path = tmp_path / "a.mp3"
    frames = write_mp3(path, mode)[1:]
    path.write_bytes(before + b"".join(frames) + behind)
    info = audio_info(path)
    assert info.frames == FRAME * len(frames) - DELAY
    sound, _ = read_audio(path)
    assert sound.shape == (1, info.frames)
    assert np.abs(sound[0, -FRAME:]).max() > 0.01
    part, _ = read_audio(path, info.seconds - 1.0)
    np.testing.assert_allclose(part, sound[:, -RATE:], atol=1e-6)
    (streamed,) = read_blocks(path, [info.frames])
    np.testing.assert_array_equal(streamed, sound)
    assert check_clip(path, "decode").fault != "truncated"


@pytest.mark.parametrize("between", [b"", ID3, ape_tag(JPEG), b"TAG" + bytes(125)])
def test_joined_mp3s_are_read_one_after_the_other(tmp_path: Path, between: bytes) -> None:
    write_mp3(tmp_path / "one.mp3", seconds=3)
    write_mp3(tmp_path / "two.mp3", "CONSTANT", seconds=6)
    one, two = (read_audio(tmp_path / name)[0] for name in ("one.mp3", "two.mp3"))
    contents = [(tmp_path / name).read_bytes() for name in ("one.mp3", "two.mp3", "one.mp3")]
    (tmp_path / "joined.mp3").write_bytes(between.join(contents))
    joined, _ = read_audio(tmp_path / "joined.mp3")
    np.testing.assert_array_equal(joined, np.concatenate([one, two, one], axis=1))
    middle, _ = read_audio(tmp_path / "joined.mp3", 2.5, 9.5)
    np.testing.assert_allclose(middle, joined[:, round(2.5 * RATE) : round(9.5 * RATE)], atol=1e-6)


def test_frames_that_an_index_does_not_count_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    frames = write_mp3(path, "CONSTANT")
    path.write_bytes(b"".join([*frames, *frames[1:]]))
    assert audio_info(path).frames == 2 * FRAME * (len(frames) - 1) - DELAY


def test_joined_mp3s_that_differ_in_channels_are_refused(tmp_path: Path) -> None:
    write_mp3(tmp_path / "one.mp3", seconds=3)
    write_mp3(tmp_path / "two.mp3", seconds=3, channels=2)
    (tmp_path / "joined.mp3").write_bytes((tmp_path / "one.mp3").read_bytes() + (tmp_path / "two.mp3").read_bytes())
    with pytest.raises(UnsupportedAudio, match="its audio changes at 3 s from 1 channel at 44100 Hz to 2 channels"):
        audio_info(tmp_path / "joined.mp3")


def test_an_mp2_has_the_length_of_its_frames(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 60 * RATE))
    path = write_encoded(tmp_path / "a.mp2", noise, RATE, "mp2", "mp2")
    info = audio_info(path)
    assert info.frames % FRAME == 0
    assert 0 <= info.frames - 60 * RATE < 2 * FRAME
    assert read_audio(path, 59.0, 60.0)[0].shape == (1, RATE)


def test_an_index_that_is_right_needs_no_parts(tmp_path: Path) -> None:
    write_mp3(tmp_path / "a.mp3")
    with (tmp_path / "a.mp3").open("rb") as stream:
        assert mpeg_parts(stream, 0) == []


@pytest.mark.parametrize(
    "header", [b"\xff\xfb", b"\xff\xfb\x00\x00", b"\xff\xfb\xf0\x00", b"\xff\xf1\x50\x80", b"RIFF"]
)
def test_what_is_not_a_frame_is_not_taken_for_one(header: bytes) -> None:
    assert parse_header(header) is None


def test_bytes_that_look_like_frames_are_passed_over_quickly(tmp_path: Path) -> None:
    frames = write_mp3(tmp_path / "a.mp3", seconds=3)[1:]
    (tmp_path / "a.mp3").write_bytes(b"".join(frames) + b"\xff\xfb\x90\x64" * 250_000)
    started = time.process_time()
    with (tmp_path / "a.mp3").open("rb") as stream:
        assert len(mpeg_parts(stream, 0)) == 1
    assert time.process_time() - started < 5.0
