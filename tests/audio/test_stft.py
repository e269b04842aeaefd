"""The transform and its inverse."""

from __future__ import annotations

import pytest
import torch

from dplass_cli.audio.stft import STFT


@pytest.mark.parametrize("length", [200, 1000, 1001])
def test_the_inverse_restores_the_waveform(length: int) -> None:
    stft = STFT(256, 80)
    waveform = torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    spectrum = stft(waveform)
    assert spectrum.shape == (2, length // 80 + 1, 129)
    torch.testing.assert_close(stft.inverse(spectrum, length), waveform, atol=1e-5, rtol=0)


def test_a_sine_has_its_energy_in_its_bin() -> None:
    sine = torch.sin(2 * torch.pi * 16 / 256 * torch.arange(2560))
    energy = STFT(256, 64)(sine[None])[:, 2:-2].abs().square().mean(dim=(0, 1))
    assert energy[15:18].sum() > 0.999 * energy.sum()


def test_the_window_has_values_on_the_meta_device_and_is_not_a_weight() -> None:
    with torch.device("meta"):
        stft = STFT(256, 80)
    torch.testing.assert_close(stft.window, torch.hann_window(256), atol=0, rtol=0)
    assert stft.state_dict() == {}
