"""Windows and log-mel spectrograms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden_stages import quantised, sampled, worst

from dplass_cli.encoders.laion_audio import LogMel, fill_window, spans, window_batches

RATE = 48000


def test_the_log_mel_spectrogram_equals_the_golden_one(golden_clap: dict[str, Any]) -> None:
    waveform = quantised(torch.from_numpy(golden_clap["audio_10s_int16"])[None] / 8192)
    log_mel = LogMel(fusion=False)
    power = log_mel.mel.spectrogram(waveform).transpose(1, 2)
    expected = golden_clap["stage/audio_spectrogram_extractor"]
    assert worst(sampled(power), expected) <= 1e-6 * expected.max()
    got = log_mel(waveform)
    assert got.shape == (1, 1, 1001, 64)
    assert worst(sampled(got), golden_clap["stage/audio_logmel_extractor"]) <= 1e-4
    together = log_mel(torch.cat([waveform, waveform.flip(1)]))
    torch.testing.assert_close(together[:1], got, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, [(0, 1)]),
        (10 * RATE, [(0, 10 * RATE)]),
        (11 * RATE - 1, [(0, 10 * RATE)]),
        (11 * RATE, [(0, 10 * RATE), (10 * RATE, RATE)]),
    ],
)
def test_a_last_window_under_a_second_is_left_out(length: int, expected: list[tuple[int, int]]) -> None:
    assert spans(length) == expected


def test_a_window_is_filled_with_whole_repetitions_and_silence() -> None:
    sound = torch.arange(3 * RATE).float()
    assert torch.equal(fill_window(sound), torch.cat([sound, sound, sound, torch.zeros(RATE)]))


def test_windows_of_several_waveforms_share_batches() -> None:
    waveforms = [torch.ones(12 * RATE), torch.ones(5)]
    batches = [(windows.shape, owners) for windows, owners in window_batches(waveforms, 2)]
    assert batches == [((2, 10 * RATE), [(0, 10 * RATE), (0, 2 * RATE)]), ((1, 10 * RATE), [(1, 5)])]
