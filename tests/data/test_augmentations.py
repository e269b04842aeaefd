"""Augmentations: what each does, that it depends on the generator alone, and that it does not change its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.augmentations import AUGMENTATIONS, Scene, augmentations
from dplass_cli.errors import InputError
from dplass_cli.options.augmentation_settings import (
    AugmentationSettings,
    GainSettings,
    MaskingSettings,
    PolaritySettings,
    RemixSettings,
    ReverberationSettings,
    ShiftSettings,
)
from dplass_cli.options.parse import from_mapping

RATE = 8000


@pytest.fixture
def scene() -> Scene:
    noise = np.random.default_rng(0).standard_normal((3, RATE)).astype(np.float32)
    return Scene(noise, RATE, lambda: np.ones(RATE, np.float32))


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    """A room: the direct sound after 10 samples, an echo 100 samples later."""
    response = np.zeros((1, 400), np.float32)
    response[0, 10], response[0, 110] = 0.5, 0.25
    write_audio(tmp_path / "rooms" / "room.wav", response, RATE, "FLOAT")
    return tmp_path / "rooms"


def every(responses: Path, probability: float = 1.0) -> dict[str, Any]:
    return {
        "gain": GainSettings(probability),
        "masking": MaskingSettings(probability),
        "polarity": PolaritySettings(probability / 2),
        "remix": RemixSettings(probability),
        "reverberation": ReverberationSettings(responses, probability),
        "shift": ShiftSettings(probability),
    }


def augmented(scene: Scene, seed: int | np.random.Generator = 0, **settings: Any) -> Audio:
    (augment,) = augmentations(AugmentationSettings(**settings))
    return augment(scene, np.random.default_rng(seed))


def test_all_are_functions_of_the_generator_and_change_no_input(scene: Scene, responses: Path) -> None:
    before = scene.sources.copy()
    for name, settings in every(responses).items():
        results = [augmented(scene, seed, **{name: settings}) for seed in (1, 1, 2, 3, 4)]
        np.testing.assert_array_equal(results[0], results[1])
        varies = any(not np.array_equal(results[0], other) for other in results[2:])
        assert varies or name == "reverberation"  # which has one room alone
        assert all(result.shape == before.shape and result.dtype == np.float32 for result in results)
        np.testing.assert_array_equal(scene.sources, before)


def test_none_happens_with_probability_0(scene: Scene, responses: Path) -> None:
    for name, settings in every(responses, probability=0.0).items():
        np.testing.assert_array_equal(augmented(scene, **{name: settings}), scene.sources)
    with pytest.raises(InputError, match=r"probability 1\.5"):
        GainSettings(1.5)


def test_gain_and_polarity(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    ratios = np.stack(
        [augmented(scene, rng, gain=GainSettings(lower_db=-6, higher_db=6)) / scene.sources for _ in range(100)]
    )
    assert np.ptp(ratios, axis=(1, 2)).max() < 1e-5  # all sources alike
    level = 20 * np.log10(ratios.mean(axis=(1, 2)))
    assert -6 <= level.min() < -5
    assert 5 < level.max() <= 6
    signs = np.stack([augmented(scene, rng, polarity=PolaritySettings()) / scene.sources for _ in range(100)]).mean(
        axis=2
    )
    assert set(signs.round(3).ravel()) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.2


def test_shift_goes_around(scene: Scene) -> None:
    shifted = augmented(scene, shift=ShiftSettings(1.0, 0.1))
    for source, other in zip(scene.sources, shifted, strict=True):
        lags = [lag for lag in range(-800, 801) if np.array_equal(np.roll(source, lag), other)]
        assert len(lags) == 1


def test_reverberation_keeps_time_and_energy(scene: Scene, responses: Path) -> None:
    click = np.zeros((1, RATE), np.float32)
    click[0, 1000] = 1.0
    room = ReverberationSettings(responses, 1.0)
    wet = augmented(Scene(click, RATE, scene.another), reverberation=room)[0]
    assert np.flatnonzero(np.abs(wet) > 1e-4).tolist() == [1000, 1100]
    assert wet[1100] / wet[1000] == pytest.approx(0.5, abs=1e-4)
    assert np.square(wet).sum() == pytest.approx(1.0, rel=1e-5)
    silence = Scene(np.zeros((1, 100), np.float32), RATE, scene.another)
    assert not augmented(silence, reverberation=room).any()
    for folder, message in (("gone", "no such folder"), ("empty", "contains no audio files")):
        (responses / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=message):
            augmented(scene, reverberation=ReverberationSettings(responses / folder, 1.0))


def test_remix_adds_another_clip_to_the_target(scene: Scene) -> None:
    remixed = augmented(scene, remix=RemixSettings(1.0))
    np.testing.assert_array_equal(remixed[1:], scene.sources[1:])
    share = (remixed[0] - 1) / (scene.sources[0] - 1)
    assert 0 < np.median(share) < 1
    assert np.abs(share - np.median(share)).max() < 1e-2
    alone = Scene(scene.sources, RATE, lambda: None)
    np.testing.assert_array_equal(augmented(alone, remix=RemixSettings(1.0)), scene.sources)


def test_masking_takes_the_same_cells_out_of_all_sources() -> None:
    rng = np.random.default_rng(1)
    tone = np.sin(np.arange(RATE) * 0.5).astype(np.float32)
    masking = MaskingSettings(1.0, time_masks=1, time_seconds=0.3, frequency_masks=0)

    def quiet(audio: Audio) -> set[int]:
        return set(np.flatnonzero(np.abs(audio.reshape(-1, 200)).max(axis=1) < 0.05).tolist())

    found = [augmented(Scene(np.stack([tone, 2 * tone]), RATE, lambda: None), rng, masking=masking) for _ in range(30)]
    assert any(quiet(sources[0]) for sources in found)
    for sources in found:
        np.testing.assert_allclose(2 * sources[0], sources[1], atol=1e-5)  # linear, with one mask for both
    nothing = MaskingSettings(1.0, time_masks=0, frequency_masks=0)
    same = augmented(Scene(tone[None], RATE, lambda: None), rng, masking=nothing)
    np.testing.assert_allclose(same[0], tone, atol=1e-5)


def test_settings_turn_them_on_in_their_order(responses: Path) -> None:
    assert list(augmentations(AugmentationSettings())) == []
    tree = {"gain": {"lower_db": -3}, "polarity": {}, "reverberation": {"folder": str(responses)}}
    settings = from_mapping(AugmentationSettings, tree, "x")
    expected = AugmentationSettings(
        None, None, PolaritySettings(), ReverberationSettings(responses), GainSettings(lower_db=-3.0)
    )
    assert settings == expected
    assert AUGMENTATIONS.keys() == vars(settings).keys()
    on = [augment.func for augment in augmentations(settings)]
    assert on == [AUGMENTATIONS[name] for name in ("polarity", "reverberation", "gain")]
    with pytest.raises(InputError, match=r"unknown option 'gain\.lower'; did you mean 'gain.lower_db'"):
        from_mapping(AugmentationSettings, {"gain": {"lower": -3}}, "x")
