"""Lossy files at a bitrate."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from dplass_cli.audio.encoding import ENCODINGS, encoding_of, lossy_writer
from dplass_cli.audio.reading import Audio, read_audio
from dplass_cli.errors import InputError, RunError


def tone(rate: int, channels: int, seconds: float = 2.0) -> Audio:
    times = np.arange(round(rate * seconds)) / rate
    gains = np.linspace(0.1, 0.4, channels)[:, None]
    return (gains * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def decoded(path: Path) -> tuple[Audio, int]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        frames = [piece.to_ndarray() for frame in container.decode(stream) for piece in resampler.resample(frame)]
        return np.concatenate(frames, axis=1), stream.rate


@pytest.mark.parametrize("suffix", ENCODINGS)
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (8000, 1), (37800, 2), (192000, 2)])
def test_a_tone_keeps_its_length_pitch_and_levels(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    audio, path = tone(rate, channels), tmp_path / f"a{suffix}"
    with lossy_writer(path, rate, channels) as write:
        for first in range(0, audio.shape[1], 10007):  # not a multiple of any encoder's frame
            write(audio[:, first : first + 10007])
    found, found_rate = decoded(path)
    assert found_rate in ENCODINGS[suffix].rates
    assert found_rate >= min(rate, max(ENCODINGS[suffix].rates))
    assert len(found) == channels
    length = round(audio.shape[1] * found_rate / rate)
    # AAC ends with a whole frame of 1024 samples; the container says where the sound ends.
    assert 0 <= found.shape[1] - length <= (1024 if suffix == ".m4a" else 1)
    middle = found[:, length // 4 : length * 3 // 4]
    expected = np.linspace(0.1, 0.4, channels) / np.sqrt(2)
    np.testing.assert_allclose(np.sqrt(np.square(middle).mean(axis=1)), expected, rtol=0.06)
    spectrum = np.abs(np.fft.rfft(middle[-1] * np.hanning(middle.shape[1])))
    assert spectrum.argmax() * found_rate / middle.shape[1] == pytest.approx(440, abs=2)


@pytest.mark.parametrize("suffix", ENCODINGS)
def test_a_higher_bitrate_makes_a_larger_file(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 96000)).astype(np.float32)
    sizes = []
    for bitrate in (32, 128):
        with lossy_writer(tmp_path / f"{bitrate}{suffix}", 48000, 1, bitrate) as write:
            write(noise)
        sizes.append((tmp_path / f"{bitrate}{suffix}").stat().st_size)
    assert sizes[1] > 2 * sizes[0]


def test_what_a_format_cannot_represent_is_refused() -> None:
    with pytest.raises(InputError, match=r"a\.mp3: \.mp3 cannot represent 3 channels; use --format wav or flac"):
        encoding_of(Path("a.mp3"), 3, None)
    with pytest.raises(InputError, match=r"--bitrate 321: \.mp3 takes 32 to 320 kbit/s"):
        encoding_of(Path("a.mp3"), 1, 321)


def test_an_error_while_encoding_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with lossy_writer(tmp_path / "a.mp3", 48000, 1) as write:
            write(tone(48000, 1))
            raise RunError("stopped")

    with pytest.raises(RunError, match="stopped"):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "channels"), [(".opus", 4), (".opus", 6), (".opus", 8), (".m4a", 5), (".m4a", 8)])
def test_channels_stay_in_their_order(tmp_path: Path, suffix: str, channels: int) -> None:
    frequencies = [300, 600, 450, 75, 900, 1050, 1200, 1350][:channels]
    times = np.arange(96000) / 48000
    audio = np.stack([0.2 * np.sin(2 * np.pi * frequency * times) for frequency in frequencies]).astype(np.float32)
    with lossy_writer(tmp_path / f"a{suffix}", 48000, channels) as write:
        write(audio)
    found = read_audio(tmp_path / f"a{suffix}")[0]
    peaks = [np.abs(np.fft.rfft(channel[24000:72000])).argmax() for channel in found]
    assert peaks == frequencies
