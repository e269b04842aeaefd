"""Checks of clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio.reading import audio_info
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.checking import check_clip
from dplass_cli.options.prepare_options import ClipLimits

TONE = (0.5 * np.sin(np.arange(1600) / 5)).astype(np.float32)[None]


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    write_audio(path, TONE, 16000)
    return path


def test_a_good_clip_has_no_fault(tone: Path) -> None:
    assert [check_clip(tone, check).fault for check in ("none", "header", "decode")] == [None, None, None]
    assert check_clip(tone, "decode") == (None, 0.1, 16000, 1, "")


def test_a_header_check_finds_files_that_are_not_audio(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html>video unavailable</html>")
    soundfile.write(tmp_path / "headed.wav", np.zeros(0, np.float32), 16000)
    (tmp_path / "folder.wav").mkdir()
    faults = {
        "empty.wav": "zero-length file",
        "page.wav": "not audio",
        "headed.wav": "zero-length file",
        "folder.wav": "missing",
        "absent.wav": "missing",
    }
    for name, fault in faults.items():
        assert check_clip(tmp_path / name, "header").fault == check_clip(tmp_path / name, "decode").fault == fault
        assert check_clip(tmp_path / name, "none").fault is None


def test_silence_is_found_by_decoding(tmp_path: Path) -> None:
    write_audio(tmp_path / "silent.wav", np.zeros((2, 1600), np.float32), 16000)
    for position in (0, -1):  # in the first and in the last of two blocks
        almost = np.zeros((2, 300_000), np.float32)
        almost[1, position] = 1e-4
        write_audio(tmp_path / "almost.wav", almost, 16000)
        assert check_clip(tmp_path / "almost.wav", "decode").fault is None
    assert check_clip(tmp_path / "silent.wav", "header").fault is None
    assert check_clip(tmp_path / "silent.wav", "decode").fault == "silent"


def test_samples_that_are_not_numbers_are_found_by_decoding(tmp_path: Path) -> None:
    audio = TONE.copy()
    audio[0, 100] = np.nan
    write_audio(tmp_path / "nan.wav", audio, 16000)
    assert check_clip(tmp_path / "nan.wav", "decode").fault == "not finite"


@pytest.mark.parametrize(("suffix", "subtype"), [("flac", "PCM_16"), ("mp3", "MPEG_LAYER_III")])
def test_a_truncated_clip_is_found_by_decoding(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 32000), dtype=np.float32)
    write_audio(path, noise, 16000, subtype)
    assert check_clip(path, "decode").fault is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert check_clip(path, "header").fault is None
    assert check_clip(path, "decode").fault == "truncated"


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "FLOAT"), ("ogg", "VORBIS"), ("ogg", "OPUS")]
)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_wav_or_ogg_without_its_end_is_used_up_to_there(
    tmp_path: Path, suffix: str, subtype: str, share: float
) -> None:
    path = tmp_path / f"cut.{suffix}"
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 96000), dtype=np.float32)
    write_audio(path, noise, 16000, subtype)
    assert check_clip(path, "decode").fault is None
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    header, decoded = check_clip(path, "header"), check_clip(path, "decode")
    assert header == decoded
    assert (header.fault, header.note) == (None, "truncated")
    assert header.seconds == audio_info(path).seconds < 6.0


def test_a_wav_from_a_pipe_leaves_its_length_open(tmp_path: Path, tone: Path) -> None:
    content = bytearray(tone.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "piped.wav").write_bytes(content)
    assert check_clip(tmp_path / "piped.wav", "decode").fault is None


def test_undecodable_formats_are_distinguished_from_files_that_are_not_audio(tmp_path: Path) -> None:
    (tmp_path / "clip.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    assert check_clip(tmp_path / "clip.m4a", "header").fault == "not decodable here"


def test_a_range_is_checked_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    write_audio(path, np.concatenate([np.zeros((1, 16000), np.float32), np.tile(TONE, 10)], axis=1), 16000)

    def found(start: float, end: float | None, seconds: float = 0.0) -> tuple[str | None, float]:
        faults = [check_clip(path, how, ClipLimits(min_seconds=seconds), start, end) for how in ("header", "decode")]
        assert faults[0].seconds == faults[1].seconds
        assert faults[0].fault in (None, faults[1].fault)
        return faults[1].fault, faults[1].seconds

    assert found(0.5, 1.5) == (None, 1.0)
    assert found(0.5, None) == (None, 1.5)
    assert found(0.5, 1.0) == ("silent", 0.5)
    assert found(1.5, 2.05) == (None, 0.5)  # a rounded end
    assert found(0.5, 1.0, 1.0) == ("too short", 0.5)
    assert found(1.5, 1.50001)[0] == "too short"
    assert {found(*beyond)[0] for beyond in ((1.5, 2.5), (2.0, 2.05), (3.0, None))} == {"range beyond the end"}


def test_limits_are_kept(tmp_path: Path, tone: Path) -> None:
    assert check_clip(tone, "header", ClipLimits(min_seconds=0.2)).fault == "too short"
    assert check_clip(tone, "header", ClipLimits(min_rate=32000)).fault == "low sample rate"
    assert check_clip(tone, "decode", ClipLimits(min_peak_db=-3)).fault == "silent"
    square = np.sign(np.sin(np.arange(1600) / 5)).astype(np.float32)[None]
    write_audio(tmp_path / "square.wav", square, 16000)
    assert check_clip(tmp_path / "square.wav", "header").fault is None
    assert check_clip(tmp_path / "square.wav", "decode").fault == "clipped"
    assert check_clip(tmp_path / "square.wav", "decode", ClipLimits(max_clipped=1.0)).fault is None
