"""Headers without the true length: those of crashed recorders, of pipes, and of files over 4 GB."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio.reading import audio_info, read_audio
from dplass_cli.audio.source import EmptyAudio, UnsupportedAudio
from dplass_cli.audio.unfinished import wav_layout
from dplass_cli.errors import InputError

RATE = 16000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 2)).astype(np.float32)


def content(container: str, subtype: str = "PCM_16", endian: str = "FILE") -> bytearray:
    stream = io.BytesIO()
    soundfile.write(stream, NOISE, RATE, subtype, endian, container)
    return bytearray(stream.getvalue())


def with_length(data: bytearray, chunk: bytes, length: int, form: str = "<I", at: int = 4) -> bytes:
    """Replace the length of a chunk."""
    struct.pack_into(form, data, data.index(chunk) + at, length)
    return bytes(data)


@pytest.mark.parametrize("riff", [0, 8, 36, 4088])
@pytest.mark.parametrize(
    ("container", "subtype", "endian"),
    [
        ("WAV", "PCM_16", "FILE"),
        ("WAV", "PCM_24", "FILE"),
        ("WAV", "FLOAT", "FILE"),
        ("WAV", "PCM_16", "BIG"),
        ("WAVEX", "PCM_24", "FILE"),
    ],
)
def test_a_recording_that_was_never_finished_is_read_to_its_end(
    tmp_path: Path, riff: int, container: str, subtype: str, endian: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, whole = tmp_path / "crashed.wav", tmp_path / "whole.wav"
    data = content(container, subtype, endian)
    whole.write_bytes(data)
    order = ">I" if endian == "BIG" else "<I"
    struct.pack_into(order, data, 4, riff)
    path.write_bytes(with_length(data, b"data", 0, order))
    info = audio_info(path)
    assert (info.frames, info.subtype, info.note) == (RATE, subtype, "unfinished")
    np.testing.assert_array_equal(read_audio(path)[0], read_audio(whole)[0])
    np.testing.assert_array_equal(read_audio(path, 0.5, 0.75)[0], read_audio(whole, 0.5, 0.75)[0])
    says = "its header was never finished, so its length is that of the samples in it: 1.00 s"
    assert caplog.messages == [f"{path}: {says}"]


@pytest.mark.parametrize("length", [0x7FFFF000, 0x7FFFEFF8, 0x80000000, 0xFFFFFFFF, 0xFFFFFF00])
def test_a_wav_from_a_pipe_is_read_to_its_end(tmp_path: Path, length: int) -> None:
    (tmp_path / "piped.wav").write_bytes(with_length(content("WAV"), b"data", length))
    info = audio_info(tmp_path / "piped.wav")
    assert (info.frames, info.note) == (RATE, "")
    assert read_audio(tmp_path / "piped.wav")[0].shape == (2, RATE)


@pytest.mark.parametrize("length", [0, (1 << 64) - 1, 0xFFFFFFFF])
def test_an_rf64_without_its_length_is_read_to_its_end(tmp_path: Path, length: int) -> None:
    data = content("RF64")
    (tmp_path / "a.wav").write_bytes(with_length(data, b"ds64", length, "<Q", 16))
    assert audio_info(tmp_path / "a.wav").frames == RATE


def test_a_bw64_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"BW64" + content("RF64")[4:])
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0], NOISE.T, atol=2**-15)


def test_an_au_and_a_caf_without_their_length_are_read_to_their_end(tmp_path: Path) -> None:
    for order in ("BIG", "LITTLE"):
        data = content("AU", endian=order)
        struct.pack_into(">I", data, 8, 0)
        (tmp_path / "a.au").write_bytes(data)
        np.testing.assert_allclose(read_audio(tmp_path / "a.au")[0], NOISE.T, atol=2**-15)
    for length in (-1, 0):
        (tmp_path / "a.caf").write_bytes(with_length(content("CAF"), b"data", length, ">q"))
        np.testing.assert_allclose(read_audio(tmp_path / "a.caf")[0], NOISE.T, atol=2**-15)


@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0INFO", b"bext\x03\0\0\0abc\0LIST\0\0\0\0"])
def test_a_recording_without_samples_is_empty_whatever_chunks_follow(tmp_path: Path, behind: bytes) -> None:
    stream = io.BytesIO()
    soundfile.write(stream, NOISE[:0], RATE, "PCM_16", format="WAV")
    (tmp_path / "empty.wav").write_bytes(stream.getvalue() + behind)
    with pytest.raises(EmptyAudio, match="contains no audio samples"):
        audio_info(tmp_path / "empty.wav")


@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0INFO"])
def test_a_length_that_wrapped_around_at_4_gigabytes_is_read_to_the_end(tmp_path: Path, behind: bytes) -> None:
    """The file has a hole, which takes no space on the disk."""
    path, bytes_of_samples = tmp_path / "long.wav", (1 << 32) + 4 * RATE
    head = with_length(content("WAV")[:44], b"data", bytes_of_samples % (1 << 32))
    with path.open("wb") as stream:
        stream.write(head)
        stream.seek(44 + bytes_of_samples - 4 * RATE)
        stream.write(bytes(content("WAV")[44:]) + behind)
    info = audio_info(path)
    assert info.frames == bytes_of_samples // 4
    end, _ = read_audio(path, info.seconds - 1.0)
    np.testing.assert_allclose(end, NOISE.T, atol=2**-15)


def test_a_flac_from_a_pipe_has_the_length_of_its_samples(tmp_path: Path) -> None:
    data = content("FLAC")
    data[21], data[22:26] = data[21] & 0xF0, bytes(4)  # 36 bits of its first block
    for tag in (b"", b"ID3\x03\0\0\0\0\0\x14" + bytes(20)):
        (tmp_path / "piped.flac").write_bytes(tag + data)
        info = audio_info(tmp_path / "piped.flac")
        assert (info.frames, info.format, info.subtype) == (RATE, "FLAC", "PCM_16")
        np.testing.assert_allclose(read_audio(tmp_path / "piped.flac")[0], NOISE.T, atol=2**-15)


def test_a_flac_that_promises_more_than_there_is_is_refused_without_allocating_it(tmp_path: Path) -> None:
    data = content("FLAC")
    data[22:26] = (60_000_000).to_bytes(4, "big")
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.raises(InputError, match=r"shorter than its header says|damaged audio"):
        read_audio(tmp_path / "a.flac")


def test_the_layout_of_a_wav_is_found_behind_other_chunks() -> None:
    data = content("WAV")
    data[12:12] = b"bext\x03\0\0\0abc\0"

    found = wav_layout(io.BytesIO(bytes(data)))
    assert found is not None
    assert (found.start, found.length) == (44 + 12, 4 * RATE)


@pytest.mark.parametrize("length", [1 << 45, 1 << 61])  # more than file systems can seek to
def test_an_rf64_whose_length_is_absurd_is_used_as_far_as_it_goes(tmp_path: Path, length: int) -> None:
    path = tmp_path / "long.wav"
    data = bytearray(with_length(content("RF64"), b"ds64", length, "<Q", at=16))
    path.write_bytes(with_length(data, b"data", 0xFFFFFFFF))
    assert (audio_info(path).frames, audio_info(path).note) == (RATE, "truncated")


def joined(path: Path, *clips: bytes) -> Path:
    path.write_bytes(b"".join(clips))
    return path


def wav_bytes(path: Path, seconds: float, subtype: str = "PCM_16", form: str = "WAV", channels: int = 2) -> bytes:
    noise = np.random.default_rng(round(seconds * 100)).uniform(-0.3, 0.3, (round(seconds * 8000), channels))
    soundfile.write(path, noise, 8000, format=form, subtype=subtype)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("form", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16")]
)
def test_joined_wavs_are_read_one_after_the_other(tmp_path: Path, form: str, subtype: str) -> None:
    clips = [wav_bytes(tmp_path / f"{seconds}.wav", seconds, subtype, form) for seconds in (1.0, 0.5, 2.0)]
    path = joined(tmp_path / "joined.wav", *clips)
    whole = np.concatenate([read_audio(tmp_path / f"{seconds}.wav")[0] for seconds in (1.0, 0.5, 2.0)], axis=1)
    info = audio_info(path)
    assert (info.frames, info.note) == (whole.shape[1], "")
    np.testing.assert_array_equal(read_audio(path)[0], whole)
    np.testing.assert_array_equal(read_audio(path, 0.9, 1.7)[0], whole[:, 7200:13600])


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_joined_wavs_without_their_lengths_are_read_one_after_the_other(tmp_path: Path, length: int) -> None:
    names = [tmp_path / "a.wav", tmp_path / "b.wav"]
    clips = [wav_bytes(name, seconds) for name, seconds in zip(names, (1.0, 0.5), strict=True)]
    place = clips[0].index(b"data") + 4
    unknown = [clip[:place] + length.to_bytes(4, "little") + clip[place + 4 :] for clip in clips]
    audio, _ = read_audio(joined(tmp_path / "j.wav", *unknown))
    np.testing.assert_array_equal(audio, np.concatenate([read_audio(name)[0] for name in names], axis=1))


def test_the_last_of_joined_wavs_may_be_incomplete(tmp_path: Path) -> None:
    first, last = wav_bytes(tmp_path / "a.wav", 1.0), wav_bytes(tmp_path / "b.wav", 2.0)
    info = audio_info(joined(tmp_path / "cut.wav", first, last[:-8000]))
    assert (info.frames, info.note) == (3 * 8000 - 2000, "truncated")
    place = last.index(b"data") + 4
    crashed = last[:place] + bytes(4) + last[place + 4 :]
    info = audio_info(joined(tmp_path / "crashed.wav", first, crashed))
    assert (info.frames, info.note) == (3 * 8000, "unfinished")


def test_joined_wavs_of_other_formats_are_refused(tmp_path: Path) -> None:
    first = wav_bytes(tmp_path / "a.wav", 1.0)
    with pytest.raises(UnsupportedAudio, match=r"j\.wav: consists of WAV files of different sample formats; convert"):
        audio_info(joined(tmp_path / "j.wav", first, wav_bytes(tmp_path / "b.wav", 1.0, "FLOAT")))
    with pytest.raises(UnsupportedAudio, match="its audio changes at 1 s from 2 channels at 8000 Hz to 1 channel"):
        audio_info(joined(tmp_path / "k.wav", first, wav_bytes(tmp_path / "b.wav", 1.0, channels=1)))


def test_a_chunk_behind_the_samples_is_not_another_wav(tmp_path: Path) -> None:
    content = wav_bytes(tmp_path / "a.wav", 1.0)
    inner = b"note" + (40).to_bytes(4, "little") + b"RIFF" + bytes(4) + b"WAVE" + bytes(28)
    assert audio_info(joined(tmp_path / "b.wav", content, inner)).frames == 8000
