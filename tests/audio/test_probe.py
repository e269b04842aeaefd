"""What headers reveal: unsafe files, disguises and truncation."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio.probe import is_common, is_truncated
from dplass_cli.audio.reading import audio_info
from dplass_cli.audio.source import UnsupportedAudio
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError

RATE = 16000


@pytest.mark.parametrize("form", ["WAV", "W64"])
def test_ima_adpcm_is_never_opened(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4096, np.float32), RATE, "IMA_ADPCM", format=form)

    def opened(*arguments: object, **options: object) -> None:
        raise AssertionError("libsndfile has opened it")

    monkeypatch.setattr(soundfile, "SoundFile", opened)
    with pytest.raises(InputError, match="IMA ADPCM"):
        audio_info(path)
    ima = path.read_bytes()
    monkeypatch.undo()
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


@pytest.mark.parametrize("kind", ["AVI ", "WEBP"])
def test_a_riff_file_that_is_not_a_wav_is_called_what_it_is(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\x40\0\0\0" + kind.encode() + bytes(56))
    with pytest.raises(UnsupportedAudio, match=f"is a RIFF file of type '{kind}'"):
        audio_info(tmp_path / "a.wav")


def test_a_wav_without_a_sample_format_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\x40\0\0\0WAVEdata\x10\0\0\0" + bytes(16))
    with pytest.raises(UnsupportedAudio, match="is a damaged WAV"):
        audio_info(tmp_path / "a.wav")


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
