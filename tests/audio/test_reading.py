"""Reading audio: ranges, channels, rates, block by block, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_audio import write_encoded
from videos import make_tracks

from dplass_cli.audio import reading
from dplass_cli.audio.reading import (
    LARGEST_SAMPLE,
    audio_info,
    even_blocks,
    fit_length,
    read_audio,
    read_blocks,
    read_mono,
)
from dplass_cli.audio.sndfile import open_sndfile
from dplass_cli.audio.source import UnsupportedAudio
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.checking import check_clip
from dplass_cli.errors import InputError

RATE = 16000


@pytest.fixture
def stereo() -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    return (0.2 * rng.standard_normal((2, 8000))).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [("a.wav", "FLOAT", 0), ("a.wav", "PCM_16", 2**-15), ("a.wav", "PCM_24", 2**-23), ("a.flac", "PCM_16", 2**-15)],
)
def test_written_samples_are_read_back(
    tmp_path: Path, stereo: np.ndarray, name: str, subtype: str, tolerance: float
) -> None:  # type: ignore[type-arg]
    write_audio(tmp_path / name, stereo, RATE, subtype)
    audio, rate = read_audio(tmp_path / name)
    assert rate == RATE
    assert audio.dtype == np.float32
    np.testing.assert_allclose(audio, stereo, atol=tolerance, rtol=0)
    part, _ = read_audio(tmp_path / name, 0.1, 0.25)
    np.testing.assert_array_equal(part, audio[:, 1600:4000])
    tail, _ = read_audio(tmp_path / name, 0.4, 9.0)
    np.testing.assert_array_equal(tail, audio[:, 6400:])
    info = audio_info(tmp_path / name)
    assert (info.frames, info.channels, info.subtype, info.seconds) == (8000, 2, subtype, 0.5)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_mono_is_the_mean_at_the_requested_rate(tmp_path: Path, stereo: np.ndarray) -> None:  # type: ignore[type-arg]
    write_audio(tmp_path / "a.wav", stereo, RATE)
    np.testing.assert_allclose(read_mono(tmp_path / "a.wav", RATE), stereo.mean(axis=0), atol=1e-7)
    assert read_mono(tmp_path / "a.wav", 32000).shape == (16000,)


def test_each_track_of_a_file_is_read(tmp_path: Path) -> None:
    tracks = [np.full((1, size), level, np.float32) for size, level in ((4800, 0.25), (2400, -0.5))]
    path = make_tracks(tmp_path / "a.mkv", *tracks)
    for number, expected in enumerate(tracks):
        assert audio_info(path, number).frames == expected.shape[1]
        np.testing.assert_allclose(read_audio(path, track=number)[0], expected, atol=1e-4)
        (block,) = read_blocks(path, [2400], track=number)
        np.testing.assert_allclose(block, expected[:, :2400], atol=1e-4)
    with pytest.raises(UnsupportedAudio, match=r"a\.mkv: has only 2 audio tracks; change --track"):
        audio_info(path, 2)
    write_audio(tmp_path / "b.wav", tracks[0], 48000)
    with pytest.raises(UnsupportedAudio, match=r"b\.wav: has only 1 audio track; change --track"):
        audio_info(tmp_path / "b.wav", 1)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "none.wav", "no such audio file"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty.wav", "the file is empty"),
        (tmp_path / "text.wav", "not a readable audio file"),
        (tmp_path / "nothing.wav", "contains no audio samples"),
        (tmp_path / "nan.wav", "NaN or infinite"),
    ):
        (tmp_path / "empty.wav").touch()
        (tmp_path / "text.wav").write_text("hello")
        write_audio(tmp_path / "nothing.wav", np.zeros((1, 0), dtype=np.float32), RATE)
        write_audio(tmp_path / "nan.wav", np.array([[0.0, np.nan]], dtype=np.float32), RATE)
        with pytest.raises(InputError, match=says) as error:
            read_audio(path)
        assert str(path) in str(error.value)
    write_audio(tmp_path / "short.wav", np.zeros((1, RATE), dtype=np.float32), RATE)
    with pytest.raises(InputError, match=r"no audio between 1.0 s and None s \(the file has 1.000 s\)"):
        read_audio(tmp_path / "short.wav", 1.0)


def test_fit_length_truncates_and_pads_the_end() -> None:
    audio = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(fit_length(audio, 2), [[0, 1], [3, 4]])
    np.testing.assert_array_equal(fit_length(audio, 4), [[0, 1, 2, 0], [3, 4, 5, 0]])


@pytest.mark.parametrize("rate", [10, 2_000_000])
def test_extreme_rates_are_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100, np.float32), rate, "PCM_16")
    with pytest.raises(InputError, match="1,000 to 1,000,000 Hz"):
        audio_info(tmp_path / "a.wav")
    assert check_clip(tmp_path / "a.wav", "header").fault == "not decodable here"


def test_days_of_silence_in_a_small_file_are_not_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    with soundfile.SoundFile(path, "w", 1000, 1, "PCM_16") as stream:
        for _ in range(140):
            stream.write(np.zeros(1_000_000, np.int16))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match="140 million samples are too many to read at once"):
        read_audio(path)
    with pytest.raises(InputError, match="too many"):
        read_mono(path, 32000, 0.0, 5000.0)  # 160 million at the rate that is asked for
    assert read_audio(path, 100.0, 101.0)[0].shape == (1, 1000)


def _write(path: Path, audio: np.ndarray) -> Path:  # type: ignore[type-arg]
    write_audio(path, audio.astype(np.float32), RATE)
    return path


def test_blocks_are_the_file_in_order(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-1, 1, (2, 1000)))
    blocks = list(read_blocks(path, even_blocks(1000, 300)))
    assert [block.shape for block in blocks] == [(2, 300), (2, 300), (2, 300), (2, 100)]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), read_audio(path)[0])


@pytest.mark.parametrize(("frames", "sizes"), [(0, []), (5, [5]), (10, [5, 5]), (11, [5, 5, 1])])
def test_even_blocks_cover_all_samples(frames: int, sizes: list[int]) -> None:
    assert even_blocks(frames, 5) == sizes


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", np.zeros((1, 100)))
    with pytest.raises(InputError, match="shorter than its header says"):
        list(read_blocks(path, [60, 60]))


def test_infinite_samples_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", np.array([[0.0, 0.0, np.inf, 0.0]]))
    blocks = read_blocks(path, [2, 2])
    assert next(blocks).shape == (1, 2)
    with pytest.raises(InputError, match="contains NaN or infinite samples"):
        next(blocks)


def test_samples_far_above_full_scale_are_refused(tmp_path: Path) -> None:
    samples = np.array([[0.1, -1e30, 0.1]], np.float32)
    write_audio(tmp_path / "huge.wav", samples, RATE)
    with pytest.raises(InputError, match=r"huge\.wav: contains samples of 1e\+30, where full scale is 1\.0"):
        read_audio(tmp_path / "huge.wav")
    with pytest.raises(InputError, match=r"huge\.wav: contains samples of 1e\+30"):
        list(read_blocks(tmp_path / "huge.wav", [3]))
    assert check_clip(tmp_path / "huge.wav", "decode").fault == "out of range"


def test_samples_in_the_range_of_16_bit_integers_are_accepted(tmp_path: Path) -> None:
    samples = np.array([[32767.0, -LARGEST_SAMPLE]], np.float32)
    write_audio(tmp_path / "loud.wav", samples, RATE)
    np.testing.assert_array_equal(read_audio(tmp_path / "loud.wav")[0], samples)


def test_a_suffix_that_is_not_supported_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ape").write_bytes(b"MAC " + bytes(100))
    with pytest.raises(UnsupportedAudio, match=r"a\.ape: \.ape is not supported; convert it to wav"):
        audio_info(tmp_path / "a.ape")


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".txt", ".vox", ""])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "ipod", "webm"])
def test_the_content_of_a_file_decides_and_not_its_suffix(tmp_path: Path, container: str, suffix: str) -> None:
    path = tmp_path / f"sound{suffix}"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 48000))
    if container.isupper():
        soundfile.write(path, noise.T, 48000, format=container)
    else:
        write_encoded(path, noise, 48000, container, "aac" if container == "ipod" else "libopus")
    assert audio_info(path).frames == pytest.approx(48000, abs=960)


@pytest.mark.parametrize("suffix", [".vox", ".gsm", ".raw"])
def test_a_suffix_does_not_make_audio_of_other_bytes(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"no audio at all, but some text " * 100)
    with pytest.raises(InputError, match=r"not supported|not a readable audio file"):
        audio_info(tmp_path / f"a{suffix}")


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("a.wav")
    with pytest.raises(InputError, match=r"a\.wav: is a symbolic link to nothing or to itself"):
        audio_info(tmp_path / "a.wav")
    assert check_clip(tmp_path / "a.wav", "header").fault == "broken link"


def test_a_file_is_examined_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examined = []
    monkeypatch.setattr(reading, "open_sndfile", lambda path: examined.append(path) or open_sndfile(path))
    path = tmp_path / "a.wav"
    write_audio(path, np.full((1, 8000), 0.1, np.float32), RATE)
    assert audio_info(path).frames == read_audio(path)[0].shape[1] == 8000
    assert examined == [path]
    write_audio(path, np.full((1, 4000), 0.1, np.float32), RATE)
    assert audio_info(path).frames == read_audio(path)[0].shape[1] == 4000
    assert examined == [path, path]
