"""Writing audio: sample formats, containers, and errors that leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from dplass_cli.audio.reading import Audio, read_audio
from dplass_cli.audio.writing import audio_writer, default_subtype, write_audio
from dplass_cli.errors import InputError, RunError

RATE = 16000


def test_integer_formats_saturate(tmp_path: Path) -> None:
    loud = np.array([[2.0, -2.0, 1.0, 0.5]], dtype=np.float32)
    write_audio(tmp_path / "a.wav", loud, RATE, "PCM_16")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0], [[1.0, -1.0, 1.0, 0.5]], atol=1e-4)


def test_unsupported_formats_are_named(tmp_path: Path) -> None:
    stereo = np.zeros((2, 100), np.float32)
    for suffix in ("xyz", "sd2", "raw"):
        with pytest.raises(InputError, match=rf"cannot write .{suffix}; use"):
            write_audio(tmp_path / f"a.{suffix}", stereo, RATE)
    with pytest.raises(InputError, match=r"FLAC does not support 2 channels .* as 'FLOAT'; use one of .*PCM_24"):
        write_audio(tmp_path / "a.flac", stereo, RATE, "FLOAT")
    with pytest.raises(InputError, match=r"WAV does not support 2 channels .* as 'GSM610'; use one of PCM_16"):
        write_audio(tmp_path / "a.wav", stereo, RATE, "GSM610")
    with pytest.raises(InputError, match=r"OGG does not support .* at 44,100 Hz as 'OPUS'; use one of VORBIS"):
        write_audio(tmp_path / "a.ogg", stereo, 44100, "OPUS")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("container", "wanted", "written"),
    [
        ("FLAC", "PCM_24", "PCM_24"),
        ("FLAC", "FLOAT", "PCM_16"),
        ("WAV", "MPEG_LAYER_III", "PCM_16"),
        ("WAV", "GSM610", "PCM_16"),
    ],
)
def test_an_unsupported_sample_format_becomes_the_containers_default(container: str, wanted: str, written: str) -> None:
    assert default_subtype(container, wanted, 44100, 2) == written


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "w64", "aiff", "au", "caf"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_sample_format_that_is_written_is_read(tmp_path: Path, suffix: str, channels: int) -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal((channels, 12345))).astype(np.float32)
    written = []
    for subtype in soundfile.available_subtypes(suffix.upper()):
        path = tmp_path / f"{subtype}.{suffix}"
        try:
            write_audio(path, noise, RATE, subtype)
        except InputError:
            continue
        audio, rate = read_audio(path)
        assert rate == RATE
        assert audio.shape[1] >= noise.shape[1]  # block formats fill their last block
        assert np.corrcoef(audio[0, :12345], noise[0])[0, 1] > 0.5 or subtype in ("OPUS", "VORBIS", "GSM610")
        written.append(subtype)
    assert written
    assert suffix not in ("wav", "w64") or "IMA_ADPCM" not in written


def test_a_recording_in_ima_adpcm_becomes_another_format() -> None:
    assert default_subtype("WAV", "IMA_ADPCM", RATE, 1) == "PCM_16"  # an AIFF in it can be read


def test_a_full_disk_is_reported_and_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise soundfile.LibsndfileError(2)

    write_audio(tmp_path / "a.wav", np.zeros((1, 10), np.float32), 16000)
    before = (tmp_path / "a.wav").read_bytes()
    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    with pytest.raises(RunError, match=r"a\.wav: writing failed .*; free space"):
        write_audio(tmp_path / "a.wav", np.ones((1, 10), np.float32), 16000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_bytes() == before


def test_blocks_are_written_one_after_the_other(tmp_path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-1, 1, (2, 1000)).astype(np.float32)
    with audio_writer(tmp_path / "a.wav", RATE, 2, "FLOAT", 1000) as write:
        write(audio[:, :300])
        write(audio[:, 300:])
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], audio)


def test_a_wav_over_four_gigabytes_is_an_rf64(tmp_path: Path) -> None:
    with audio_writer(tmp_path / "a.wav", RATE, 1, "FLOAT", 1 << 30) as write:
        write(np.zeros((1, 100), np.float32))
    assert soundfile.info(str(tmp_path / "a.wav")).format == "RF64"


def test_nothing_is_left_of_a_file_whose_writing_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with audio_writer(tmp_path / "a.wav", RATE, 1, "FLOAT", 100) as write:
            write(np.zeros((1, 50), np.float32))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", range(1, 9))
def test_vorbis_keeps_the_speakers_of_channels(tmp_path: Path, channels: int) -> None:
    frequencies = [300, 600, 450, 75, 900, 1050, 1200, 1350][:channels]
    time = np.arange(48000) / 48000
    audio = np.stack([0.2 * np.sin(2 * np.pi * frequency * time) for frequency in frequencies]).astype(np.float32)
    write_audio(tmp_path / "m.ogg", audio, 48000, "VORBIS")

    def heard(samples: Audio) -> list[int]:
        return [int(np.abs(np.fft.rfft(channel, 48000)).argmax()) for channel in samples]

    assert heard(read_audio(tmp_path / "m.ogg")[0]) == frequencies
    if channels < 8:
        with av.open(str(tmp_path / "m.ogg")) as container:  # FFmpeg, which has the order of a WAV
            frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        assert heard(np.concatenate(frames, axis=1)) == frequencies
