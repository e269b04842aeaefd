"""All augmentations: they depend on the generator alone, change no input, and are switched on by their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.audio.reading import Audio
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


@pytest.mark.parametrize("seed", range(3))
def test_channels_are_augmented_alike(seed: int, scene: Scene, responses: Path) -> None:
    another = scene.another()
    assert another is not None
    stereo = Scene(np.stack([scene.sources, 2 * scene.sources], axis=1), RATE, lambda: np.stack([another, 2 * another]))
    for name, settings in every(responses).items():
        mono, both = augmented(scene, seed, **{name: settings}), augmented(stereo, seed, **{name: settings})
        np.testing.assert_allclose(both[:, 1], 2 * both[:, 0], atol=1e-5)
        if name != "reverberation":  # whose energy is that of both channels
            np.testing.assert_allclose(both[:, 0], mono, atol=1e-5)


def test_none_happens_with_probability_0(scene: Scene, responses: Path) -> None:
    for name, settings in every(responses, probability=0.0).items():
        np.testing.assert_array_equal(augmented(scene, **{name: settings}), scene.sources)


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
    with pytest.raises(InputError, match=r"unknown option .(gain\.)?lower.; did you mean .(gain\.)?lower_db"):
        from_mapping(AugmentationSettings, {"gain": {"lower": -3}}, "x")
