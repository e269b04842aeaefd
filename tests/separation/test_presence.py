"""Whether a recording contains the described sound, and silence where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dplass_cli import Separator, load_base, load_encoder, sounds
from dplass_cli.audio.writing import write_audio
from dplass_cli.separation.presence import Calibration, PresenceMeter, calibration_of, level_db, presence
from dplass_cli.separation.queries import Query

RATE = 32000
FITTED = Calibration("b", "e", similarity=8.0, residual_similarity=-1.0, level_db=0.4, bias=-3.0)


@pytest.fixture(scope="module")
def separator() -> Separator:
    return Separator.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def dog_in_rain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rain for 19 s; a dog barks in the last eight."""
    rain, dog = (sounds.render(name, 4000, 19.0, RATE) for name in ("rain", "dog_bark"))
    dog[: 11 * RATE] = 0.0
    mixture = 0.2 * rain / np.abs(rain).max() + 0.4 * dog / np.abs(dog).max()
    path = tmp_path_factory.mktemp("presence") / "m.wav"
    write_audio(path, mixture[None], RATE, "PCM_16")
    return path


def samples(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    return soundfile.read(str(path), dtype="float32")[0]


def test_the_level_is_a_ratio_of_energies() -> None:
    mixture = torch.randn(2, 100)
    assert level_db(mixture, mixture) == pytest.approx(0.0)
    assert level_db(0.1 * mixture, mixture) == pytest.approx(-20.0, abs=1e-4)
    assert level_db(torch.zeros(2, 100), mixture) == -60.0
    assert level_db(torch.zeros(2, 100), torch.zeros(2, 100)) == -60.0


def test_the_score_grows_with_similarity_and_level() -> None:
    for calibration in (FITTED, None):
        weak, alike, loud = (
            presence(*measured, calibration).score
            for measured in ((0.2, 0.1, -20.0), (0.9, 0.1, -20.0), (0.9, 0.1, -1.0))
        )
        assert 0.0 < weak < alike < loud < 1.0
        assert presence(0.9, 0.1, -60.0, calibration).score == 0.0
    assert presence(0.5, 0.0, -5.0, FITTED).score == pytest.approx(1 / (1 + np.exp(3.0 - 4.0 + 2.0)))
    assert presence(-0.3, 0.0, -5.0, None).score == 0.0
    assert (presence(0.5, 0.0, 0.0, FITTED).calibrated, presence(0.5, 0.0, 0.0, None).calibrated) == (True, False)


def test_the_most_likely_window_counts(clips: dict[str, Path]) -> None:
    encoder = load_encoder()
    dog, rain = (torch.from_numpy(samples(clips[name]))[None] for name in ("dog_bark", "rain"))
    meter = PresenceMeter({"dog": encoder.embed_text(["a dog barking"])[0]}, encoder, RATE, FITTED, uncalibrated={"x"})
    meter.add(rain, {"dog": 0.01 * rain})
    absent = meter.found["dog"]
    meter.add(dog + rain, {"dog": dog})
    present = meter.found["dog"]
    meter.add(rain, {"dog": 0.01 * rain})
    meter.add(dog[:, :5000], {"dog": dog[:, :5000]})  # under a second: too short to be embedded well
    assert meter.found["dog"] == present
    assert absent.score < 0.3 < 0.8 < present.score
    assert present.similarity > present.residual_similarity


def test_the_calibration_belongs_to_the_bundled_models() -> None:
    found = calibration_of(load_base().sha256(), load_encoder().fingerprint)
    assert found is not None, "fit it again: python scripts/measure_queries.py DATA --folds 1,2,3 --mixtures 240 --fit"
    assert found.similarity > 0.0 < found.level_db
    assert calibration_of("other", load_encoder().fingerprint) is None


def test_present_sounds_score_higher_than_absent_ones(separator: Separator, dog_in_rain: Path, tmp_path: Path) -> None:
    written = separator.separate_file(dog_in_rain, ["a dog barking", "a siren", Query(without=("rain",))], tmp_path)
    dog, siren, rest = written
    assert dog.presence is not None
    assert siren.presence is not None
    assert dog.presence.score > 0.7 > 0.4 > siren.presence.score
    assert dog.presence.calibrated
    assert (dog.silenced, siren.silenced, rest.presence) == (False, False, None)


def test_examples_are_not_calibrated(
    separator: Separator, dog_in_rain: Path, clips: dict[str, Path], tmp_path: Path
) -> None:
    (dog,) = separator.separate_file(dog_in_rain, [Query(like=clips["dog_bark"])], tmp_path)
    assert dog.presence is not None
    assert not dog.presence.calibrated


@pytest.mark.parametrize("clip", ["limit", "scale"])
def test_absent_targets_become_silence_and_their_content_residual(
    separator: Separator, dog_in_rain: Path, tmp_path: Path, clip: str
) -> None:
    queries = ["a dog barking", "a siren"]

    def separated(threshold: float | None) -> list[np.ndarray]:  # type: ignore[type-arg]
        written = separator.separate_file(
            dog_in_rain,
            queries,
            tmp_path / str(threshold),
            True,
            "FLOAT",
            clip,
            silence_if_absent=threshold,  # type: ignore[arg-type]
        )
        assert [target.silenced for target in written] == [False, threshold is not None, False]
        return [samples(target.path) for target in written]

    dog, siren, rest = separated(None)
    kept, silence, more = separated(0.5)
    np.testing.assert_array_equal(kept, dog)
    assert np.abs(siren).max() > 0.0
    assert not silence.any()
    np.testing.assert_allclose(more, rest + siren, atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "0.5").iterdir()) == [
        "m_a_dog_barking.wav",
        "m_a_siren.wav",
        "m_residual.wav",
    ]
