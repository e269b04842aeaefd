"""Reading and writing audio: ranges, channels, rates, sample formats, and what is wrong with a file."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli.audio.probe import is_common
from dplass_cli.audio.reading import audio_info, fit_length, read_audio, read_mono
from dplass_cli.audio.resampling import resample
from dplass_cli.audio.streaming import read_blocks
from dplass_cli.audio.writing import default_subtype, write_audio
from dplass_cli.data.prepare.checking import check_clip
from dplass_cli.errors import InputError, RunError

RATE = 16000


@pytest.fixture
def stereo() -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    return (0.2 * rng.standard_normal((2, 8000))).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [("a.wav", "FLOAT", 0), ("a.wav", "PCM_16", 2**-15), ("a.wav", "PCM_24", 2**-23), ("a.flac", "PCM_16", 2**-15)],
)
def test_samples_survive(tmp_path: Path, stereo: np.ndarray, name: str, subtype: str, tolerance: float) -> None:  # type: ignore[type-arg]
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


def test_mono_is_the_mean_at_the_asked_for_rate(tmp_path: Path, stereo: np.ndarray) -> None:  # type: ignore[type-arg]
    write_audio(tmp_path / "a.wav", stereo, RATE)
    np.testing.assert_allclose(read_mono(tmp_path / "a.wav", RATE), stereo.mean(axis=0), atol=1e-7)
    assert read_mono(tmp_path / "a.wav", 32000).shape == (16000,)


@pytest.mark.parametrize(("source", "target"), [(44100, 32000), (8000, 32000), (32000, 44100)])
def test_resampling_keeps_tone_and_level(source: int, target: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(source) / source).astype(np.float32)
    there = resample(tone, source, target)
    assert len(there) == target
    expected = np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    np.testing.assert_allclose(there[200:-200], expected[200:-200], atol=1e-2)


def test_clipping_saturates(tmp_path: Path) -> None:
    loud = np.array([[2.0, -2.0, 1.0, 0.5]], dtype=np.float32)
    write_audio(tmp_path / "a.wav", loud, RATE, "PCM_16")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0], [[1.0, -1.0, 1.0, 0.5]], atol=1e-4)


def test_wrong_files_are_named(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "none.wav", "no such audio file"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty.wav", "the file is empty"),
        (tmp_path / "text.wav", "not a readable audio file"),
        (tmp_path / "nothing.wav", "holds no audio samples"),
        (tmp_path / "nan.wav", "not numbers"),
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


def test_wrong_formats_are_named(
    tmp_path: Path,
    stereo: np.ndarray,  # type: ignore[type-arg]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in ("xyz", "sd2", "raw"):
        with pytest.raises(InputError, match=rf"cannot write .{suffix}; use"):
            write_audio(tmp_path / f"a.{suffix}", stereo, RATE)
    with pytest.raises(InputError, match=r"FLAC does not take 2 channels .* as 'FLOAT'; use one of .*PCM_24"):
        write_audio(tmp_path / "a.flac", stereo, RATE, "FLOAT")
    with pytest.raises(InputError, match=r"WAV does not take 2 channels .* as 'GSM610'; use one of PCM_16"):
        write_audio(tmp_path / "a.wav", stereo, RATE, "GSM610")
    with pytest.raises(InputError, match=r"OGG does not take .* of 44,100 Hz as 'OPUS'; use one of VORBIS"):
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
def test_a_sample_format_that_is_not_written_becomes_the_containers_own(
    container: str, wanted: str, written: str
) -> None:
    assert default_subtype(container, wanted, 44100, 2) == written


def test_fitting_cuts_and_pads_the_end() -> None:
    audio = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(fit_length(audio, 2), [[0, 1], [3, 4]])
    np.testing.assert_array_equal(fit_length(audio, 4), [[0, 1, 2, 0], [3, 4, 5, 0]])


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise soundfile.LibsndfileError(2)

    write_audio(tmp_path / "a.wav", np.zeros((1, 10), np.float32), 16000)
    before = (tmp_path / "a.wav").read_bytes()
    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(RunError, match=r"a\.wav: writing failed .*; free space"):
        write_audio(tmp_path / "a.wav", np.ones((1, 10), np.float32), 16000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_bytes() == before


@pytest.mark.parametrize("form", ["WAV", "W64"])
def test_ima_adpcm_is_not_even_opened(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4096, np.float32), RATE, "IMA_ADPCM", format=form)

    def opened(name: str) -> None:
        raise AssertionError("libsndfile has seen it")

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
    else:  # of a W64's formats the last counts
        disguises.append(pcm[:80] + ima[first:])
    for disguised in disguises:
        path.write_bytes(disguised)
        with pytest.raises(InputError, match=r"IMA ADPCM|neither MP3 nor FLAC behind its ID3 tags"):
            audio_info(path)


def test_what_may_stand_before_the_sound(tmp_path: Path) -> None:
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
    """Write 12 s, partly silent, as MP3: its frames, of which the first is the index."""
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


def test_an_mp3_with_an_index_is_read_whole_or_not(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    frames = _mp3(path, "VARIABLE")
    assert read_audio(path)[0].shape == (1, 12 * 44100)
    path.write_bytes(b"".join(frames[: len(frames) // 3]))
    with pytest.raises(InputError, match=r"ends \d\.\d+ s before its header says"):
        read_audio(path)
    assert check_clip(path, "decode").fault == "truncated"
    path.write_bytes(b"".join(frames[1:]))
    with pytest.raises(InputError, match="variable bit rate that does not say how long it is"):
        audio_info(path)


@pytest.mark.parametrize("extra", [b"", b"TAG" + bytes(125)])
def test_the_length_of_an_mp3_without_an_index_is_reckoned(tmp_path: Path, extra: bytes) -> None:
    """A guess by the first frame, as decoders make it, is 0.2 s too long for a minute."""
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


@pytest.mark.parametrize("rate", [10, 2_000_000])
def test_rates_that_no_sound_has(tmp_path: Path, rate: int) -> None:
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
    with pytest.raises(InputError, match="140 million samples are too many to be read at once"):
        read_audio(path)
    with pytest.raises(InputError, match="too many"):
        read_mono(path, 32000, 0.0, 5000.0)  # 160 million at the rate that is asked for
    assert read_audio(path, 100.0, 101.0)[0].shape == (1, 1000)


def test_a_rate_without_divisors_takes_no_gigabytes() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resample(np.zeros(200_000, np.float32), 999_983, 32000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
