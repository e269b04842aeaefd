"""The mixer against AudioSep's numbers, and mixing at a given SNR."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dplass_cli.data.mixer import mix, mix_at_snr

with np.load(Path(__file__).parents[1] / "golden" / "mixer_io.npz") as _archive:
    ARCHIVE: dict[str, Any] = dict(_archive)
CASES: dict[str, Any] = json.loads(bytes(ARCHIVE["cases_json"]).decode())


@pytest.mark.parametrize("case", CASES)
def test_mixtures_equal_audioseps(case: str) -> None:
    waveforms = torch.from_numpy(ARCHIVE[f"{case}/waveforms"])[:, 0]
    script, slots = CASES[case]["script"], CASES[case]["max_mix_num"] - 1
    batch = len(waveforms)
    interferers, gains = torch.zeros(batch, slots, waveforms.shape[-1]), torch.zeros(batch, slots)
    for item, drawn in enumerate(script):  # AudioSep's rule: the next items of the batch interfere
        for slot, gain in enumerate(drawn["segment_gains_db"]):
            interferers[item, slot] = waveforms[(item + 1 + slot) % batch]
            gains[item, slot] = gain
    noise_gain = torch.tensor([float(drawn["noise_gain_db"]) for drawn in script])
    mixture, target = mix(waveforms, interferers, gains, noise_gain)
    np.testing.assert_allclose(mixture, ARCHIVE[f"{case}/mixture"][:, 0], atol=1e-6)
    np.testing.assert_allclose(target, ARCHIVE[f"{case}/segment"][:, 0], atol=1e-6)


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.0])
def test_mixtures_have_the_requested_snr(snr: float) -> None:
    torch.manual_seed(0)
    target, noise = 0.01 * torch.randn(3, 4000), 2.0 * torch.randn(3, 4000)
    mixture, scaled = mix_at_snr(target, noise, torch.full((3,), snr))
    ratio = scaled.square().mean(-1) / (mixture - scaled).square().mean(-1)
    torch.testing.assert_close(10 * torch.log10(ratio), torch.full((3,), snr), atol=1e-3, rtol=0)


def test_clipping_mixtures_are_scaled_with_their_targets() -> None:
    target = torch.tensor([[0.9, -0.2, 0.1, 0.0], [0.1, 0.1, 0.0, 0.0]])
    noise = target.flip(-1) + torch.tensor([0.9, 0.0, 0.0, 0.0])
    mixture, scaled = mix_at_snr(target, noise, torch.zeros(2))
    assert mixture[0].abs().max() == pytest.approx(0.9)
    assert scaled[0, 0] < target[0, 0]
    torch.testing.assert_close(scaled[0], target[0] * (scaled[0, 0] / target[0, 0]))
    torch.testing.assert_close(scaled[1], target[1])


def test_silent_noise_leaves_the_target_unchanged() -> None:
    target = torch.rand(1, 100) * 0.5
    mixture, scaled = mix_at_snr(target, torch.zeros(1, 100), torch.zeros(1))
    assert torch.equal(mixture, target)
    assert torch.equal(scaled, target)
