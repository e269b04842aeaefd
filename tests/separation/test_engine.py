"""The Separator on real recordings' shapes: rates, channels, lengths, formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dplass_cli import Separator, sounds
from dplass_cli.audio.files import write_audio
from dplass_cli.errors import InputError
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies import make_policy


@pytest.fixture(scope="module")
def separator() -> Separator:
    return Separator.from_pretrained(device="cpu")


def dog_in_the_rain(rate: int = 32000, seconds: float = 5.0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    dog, rain = (sounds.render(name, 4000, seconds, rate) for name in ("dog_bark", "rain"))
    dog *= 0.3 / np.abs(dog).max()
    rain *= np.sqrt(np.square(dog).mean() / np.square(rain).mean())
    return dog + rain, dog


def test_separates_what_the_query_says(separator: Separator) -> None:
    mixture, dog = dog_in_the_rain()
    out = separator(mixture[None], 32000, ["a dog barking", "rain falling"])
    assert list(out) == ["a dog barking", "rain falling"]
    assert sdr(dog, out["a dog barking"][0]) > 4.0
    assert sdr(mixture - dog, out["rain falling"][0]) > 4.0


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22050, 3), (44100, 2), (96000, 1)])
@pytest.mark.parametrize("samples", [1, 700, 20001])
def test_same_shape_out(separator: Separator, rate: int, channels: int, samples: int) -> None:
    audio = np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32) * 0.1
    out = separator(audio, rate, ["a bell"])["a bell"]
    assert out.shape == audio.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()


def test_long_audio_in_windows_equals_the_whole(separator: Separator, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = np.concatenate([dog_in_the_rain(seconds=13.0)[0], dog_in_the_rain(seconds=8.3)[0]])
    windowed = separator(mixture[None], 32000, ["a dog barking"])["a dog barking"]
    monkeypatch.setattr("dplass_cli.separation.engine._CORE_SECONDS", 60.0)
    whole = separator(mixture[None], 32000, ["a dog barking"])["a dog barking"]
    error = np.sqrt(np.square(windowed - whole).mean() / np.square(whole).mean())
    assert 20 * np.log10(error) < -20.0


def test_channels_are_separated_alike(separator: Separator) -> None:
    mixture, _ = dog_in_the_rain(seconds=2.0)
    out = separator(np.stack([mixture, mixture]), 32000, ["a dog barking"])["a dog barking"]
    np.testing.assert_allclose(out[0], out[1], atol=1e-6)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [(".wav", "PCM_16"), (".wav", "FLOAT"), (".flac", "PCM_24"), (".ogg", "VORBIS")]
)
def test_files_keep_rate_channels_length_and_format(
    separator: Separator, tmp_path: Path, suffix: str, subtype: str
) -> None:
    mixture, _ = dog_in_the_rain(44100, 1.5)
    path = tmp_path / f"mixture{suffix}"
    write_audio(path, np.stack([mixture, 0.5 * mixture]), 44100, subtype)
    written = separator.separate_file(path, ["a dog!", "a dog?"], tmp_path / "out", residual=True)
    names = [f"mixture_{name}{suffix}" for name in ("a_dog", "a_dog_2", "residual")]
    assert [target.path.name for target in written] == names
    before = soundfile.info(str(path))
    for target in written:
        after = soundfile.info(str(target.path))
        assert (after.samplerate, after.channels, after.subtype) == (44100, 2, subtype)
        assert after.frames == before.frames


def test_residual_is_what_is_left(separator: Separator, tmp_path: Path) -> None:
    mixture, _ = dog_in_the_rain(seconds=1.0)
    write_audio(tmp_path / "m.wav", mixture[None], 32000, "FLOAT")
    written = separator.separate_file(tmp_path / "m.wav", ["a dog", "rain"], tmp_path, residual=True)
    total = sum(soundfile.read(str(target.path), dtype="float32")[0] for target in written)
    np.testing.assert_allclose(total, mixture, atol=1e-5)


def test_wrong_use_is_refused(separator: Separator, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="channels, samples"):
        separator(np.zeros((1, 0), dtype=np.float32), 32000, ["a dog"])
    with pytest.raises(InputError, match="no query"):
        separator(np.zeros((1, 10), dtype=np.float32), 32000, [])
    with pytest.raises(InputError, match="needs a bank"):
        Separator(AdapterBank(separator.bank.network), separator.encoder, make_policy("text")).choose(["a"])
