"""What headers reveal: unsafe files, disguises, truncation, and the length of MP3s."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio.probe import is_common, is_truncated, mp3_samples
from dplass_cli.audio.reading import audio_info, read_audio, read_blocks
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.checking import check_clip
from dplass_cli.errors import InputError

RATE = 16000


@pytest.mark.parametrize("form", ["WAV", "W64"])
def test_ima_adpcm_is_never_opened(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4096, np.float32), RATE, "IMA_ADPCM", format=form)

    def opened(name: str) -> None:
        raise AssertionError("libsndfile has opened it")

    monkeypatch.setattr(soundfile, "info", opened)
    with pytest.raises(InputError, match="IMA ADPCM"):
        audio_info(path)
    ima = path.read_bytes()
    soundfile.write(path, np.zeros(4096, np.float32), RATE, "PCM_16", format=form)
    pcm = path.read_bytes()
    first = 12 if form == "WAV" else 40
    decoy = b"LIST" + (16).to_bytes(4, "little") + b"fmt \x10\0\0\0\x01\0\x01\0" + bytes(4)
    junk = b"JUNK" + (1 << 21).to_bytes(4, "little") + bytes(1 << 21)
    tag = b"ID3\x03\0\0\0\0\0\x14" + bytes(20)
    disguises = [tag + ima, tag * 20 + ima, tag[:9] + b"\x15" + bytes(21) + tag + ima, tag[:9] + b"\0\xff\xfb" + ima]
    if form == "WAV":
        disguises += [ima[:12] + junk + ima[12:], ima[:12] + decoy + ima[12:]]
    else:  # the last format tag of a W64 counts
        disguises.append(pcm[:80] + ima[first:])
    for disguised in disguises:
        path.write_bytes(disguised)
        with pytest.raises(InputError, match=r"IMA ADPCM|neither MP3 nor FLAC after its ID3 tags"):
            audio_info(path)


def test_chunks_and_tags_before_the_audio_are_accepted(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.zeros((1, 4096), np.float32), RATE, "PCM_16")
    whole = (tmp_path / "a.wav").read_bytes()
    for name, size in ((b"JUNK", 29), (b"bext", 602), (b"LIST", 0), (b"wamd", 8), (b"PAD ", 300_000)):
        chunk = name + size.to_bytes(4, "little") + bytes(size + size % 2)
        (tmp_path / "b.wav").write_bytes(whole[:12] + chunk + whole[12:])
        assert audio_info(tmp_path / "b.wav").frames == 4096
    tag = b"ID3\x03\0\0\0\0\0\x14" + bytes(20)
    for name, subtype, between in (
        ("a.mp3", "MPEG_LAYER_III", b""),
        ("a.mp3", "MPEG_LAYER_III", bytes(100)),
        ("a.mp3", "MPEG_LAYER_III", b"3DI\x04\0\0\0\0\0\x14"),
        ("a.flac", "PCM_16", b""),
    ):
        write_audio(tmp_path / name, np.zeros((1, RATE), np.float32), RATE, subtype)
        sound = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(tag + between + sound)
        assert is_common(tmp_path / name)
        assert audio_info(tmp_path / name).frames == RATE
    for odd in (b"ID3\x03\0\0\0\0\0\0" + b".snd", b"FORM\0\0\0\x10" + b"8SVX", b"RIFF\0\0\0\0AVI "):
        (tmp_path / "odd").write_bytes(odd + bytes(100))
        assert not is_common(tmp_path / "odd")


def _mp3(path: Path, mode: str) -> list[bytes]:
    """Write 12 s, partly silent, as MP3 and return its frames; the first is the index."""
    noise = np.random.default_rng(0).standard_normal(4 * 44100) * 0.1
    sound = np.concatenate([noise, 0 * noise, 3 * noise]).clip(-1, 1)
    form = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": mode, "compression_level": 0.4}
    with soundfile.SoundFile(path, "w", 44100, 1, **form) as stream:
        stream.write(sound)
    data, frames = path.read_bytes(), []
    while data:
        kbps = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[data[2] >> 4]
        length = 144_000 * kbps // 44100 + (data[2] >> 1 & 1)
        frames.append(data[:length])
        data = data[length:]
    return frames


def test_an_mp3_with_an_index_is_read_completely_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    frames = _mp3(path, "VARIABLE")
    assert read_audio(path)[0].shape == (1, 12 * 44100)
    path.write_bytes(b"".join(frames[: len(frames) // 3]))
    with pytest.raises(InputError, match=r"is \d\.\d+ s shorter than its header says"):
        read_audio(path)
    assert check_clip(path, "decode").fault == "truncated"
    path.write_bytes(b"".join(frames[1:]))
    with pytest.raises(InputError, match="variable bit rate without an index"):
        audio_info(path)


@pytest.mark.parametrize("extra", [b"", b"TAG" + bytes(125)])
def test_the_length_of_an_mp3_without_an_index_is_computed_from_its_size(tmp_path: Path, extra: bytes) -> None:
    """Decoders estimate it from the first frame, which gives 0.2 s too much for a minute."""
    path = tmp_path / "a.mp3"
    frames = _mp3(path, "CONSTANT")[1:] * 5
    path.write_bytes(b"".join(frames) + extra)
    info = audio_info(path)
    assert info.estimated
    assert info.frames == 1152 * len(frames)
    assert soundfile.info(str(path)).frames > info.frames + 2000
    sound, _ = read_audio(path)
    assert sound.shape == (1, info.frames)
    assert np.abs(sound[0, -1152:]).max() > 0.01
    assert read_audio(path, info.seconds - 1.0)[0].shape == (1, 44100)
    (streamed,) = read_blocks(path, [info.frames])
    np.testing.assert_array_equal(streamed, sound)
    assert check_clip(path, "decode").fault != "truncated"


def test_an_mp3_of_varying_bit_rate_without_an_index_has_no_known_length(tmp_path: Path) -> None:
    frames = _mp3(tmp_path / "a.mp3", "VARIABLE")
    assert mp3_samples(tmp_path / "a.mp3") is None
    (tmp_path / "a.mp3").write_bytes(b"".join(frames[1:]))
    assert mp3_samples(tmp_path / "a.mp3") == 0


@pytest.mark.parametrize(
    ("kind", "subtype", "endian"),
    [
        ("WAV", "PCM_16", "LITTLE"),
        ("WAV", "FLOAT", "BIG"),
        ("WAVEX", "PCM_24", "FILE"),
        ("RF64", "PCM_16", "FILE"),
        ("W64", "PCM_16", "FILE"),
        ("AIFF", "PCM_16", "FILE"),
        ("AIFF", "FLOAT", "FILE"),
        ("AU", "PCM_16", "BIG"),
        ("AU", "PCM_16", "LITTLE"),
        ("OGG", "VORBIS", "FILE"),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.99])
def test_a_file_without_its_end_is_truncated(
    tmp_path: Path, kind: str, subtype: str, endian: str, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (20 * RATE, 1))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    soundfile.write(whole, noise, RATE, format=kind, subtype=subtype, endian=endian)
    assert not is_truncated(whole)
    assert audio_info(whole).frames == len(noise)
    assert caplog.messages == []
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    assert is_truncated(cut)
    seconds = audio_info(cut).seconds
    assert audio_info(cut).seconds == seconds < 20
    says = f"ends before its header says, so only its first {seconds:.2f} s are read; replace it if it should be longer"
    assert caplog.messages == [f"{cut}: {says}"]  # once


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFF00, 0x7FFFF000, 0x7FFFEFF8, 0x80000000])
def test_a_wav_that_was_written_to_a_pipe_is_not_truncated(tmp_path: Path, length: int) -> None:
    write_audio(tmp_path / "a.wav", np.zeros((1, 100), np.float32), RATE, "PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    at = content.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(content[:at] + length.to_bytes(4, "little") + content[at + 4 :])
    assert not is_truncated(tmp_path / "a.wav")


@pytest.mark.parametrize("head", [b"RIFF....AVI LIST", b"FORM....ILBMBMHD", b"RIFF", b"", b"riff", b".snd"])
def test_what_is_not_audio_is_looked_at_without_an_error(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a").write_bytes(head)
    assert is_truncated(tmp_path / "a") == (head == b"riff")


def test_a_wav_of_very_many_chunks_is_looked_at_quickly(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF....WAVE" + b"junk\0\0\0\0" * 1_000_000)
    started = time.process_time()
    assert not is_truncated(tmp_path / "a.wav")
    assert time.process_time() - started < 0.1
