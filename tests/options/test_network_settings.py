"""The network's configuration: its grid, and sizes that no network can have."""

from __future__ import annotations

from typing import Any

import pytest

from dplass_cli.options.network_settings import LaSAFTConfig, ResUNet30Config


def test_the_published_grid_is_32_frames_by_64_bins() -> None:
    assert ResUNet30Config().grid == (32, 64)


def test_a_stem_multiplies_the_grid() -> None:
    assert ResUNet30Config(stem=(2, 4)).grid == (64, 256)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": ()}, "its levels from 1 to 16"),
        ({"pre_channels": 0}, "sizes of a network are from 1 to"),
        ({"stem": (0, 1)}, "sizes of a network are from 1 to"),
        ({"hop": 2048}, "hop.* less than n_fft, 2048.* overlap"),
        ({"channels": (4, 4)}, "2 channels but 6 downsample pairs"),
        ({"n_fft": 2000}, "n_fft/2.* multiple of the frequency downsampling"),
    ],
)
def test_an_impossible_size_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResUNet30Config(**wrong)


def test_a_scaled_network_differs_in_its_channels_only() -> None:
    narrow = ResUNet30Config(channels=(5, 8), downsample=((2, 2), (1, 2)), input_level_db=-21.0).scaled(0.5)
    assert narrow == ResUNet30Config(
        pre_channels=16, channels=(2, 4), downsample=((2, 2), (1, 2)), input_level_db=-21.0
    )
    assert LaSAFTConfig().scaled(0.5) == LaSAFTConfig(internal_channels=12)
    assert LaSAFTConfig().scaled(0.001).internal_channels == 1
