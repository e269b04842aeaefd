"""The audio front end of LAION's CLAP: windows of 10 s at 48 kHz, and their log-mel spectrograms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLE_RATE = 48000
N_FFT = 1024
HOP = 480
MELS = 64
F_MIN = 50
F_MAX = 14000
WINDOW = 10 * SAMPLE_RATE
_SHORTEST = 1 * SAMPLE_RATE
_POWER_FLOOR = 1e-10


class LogMel(nn.Module):
    """Computes log-mel power in dB from waveforms at 48 kHz.

    LAION trained its models with feature fusion on another mel scale (HTK, filters of equal height) than those without
    (Slaney, filters of equal area).
    """

    def __init__(self, fusion: bool) -> None:
        from torchaudio.transforms import MelSpectrogram  # here, for the verbs that load no encoder

        super().__init__()
        self.mel = MelSpectrogram(
            SAMPLE_RATE,
            N_FFT,
            hop_length=HOP,
            f_min=F_MIN,
            f_max=F_MAX,
            n_mels=MELS,
            norm=None if fusion else "slaney",
            mel_scale="htk" if fusion else "slaney",
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        """Transform float32 (N, T): (N, 1, T // 480 + 1, 64)."""
        mel: Tensor = self.mel(waveforms)
        return 10.0 * mel.clamp(min=_POWER_FLOOR).log10().transpose(1, 2)[:, None]


def spans(length: int) -> list[tuple[int, int]]:
    """Split ``length`` samples at 48 kHz into consecutive windows of 10 s: [(start, length)].

    A last window under 1 s is left out unless it is the only one.
    """
    cut = [(start, min(WINDOW, length - start)) for start in range(0, length, WINDOW)]
    return [span for span in cut if span[1] >= _SHORTEST] or cut[:1]


def fill_window(waveform: Tensor) -> Tensor:
    """Fill a window of 10 s with a sound (T,) of at most 10 s: whole repetitions, then silence."""
    repeated = waveform.repeat(WINDOW // waveform.shape[-1])
    return F.pad(repeated, (0, WINDOW - repeated.shape[-1]))


def window_batches(waveforms: Sequence[Tensor], size: int) -> Iterator[tuple[Tensor, list[tuple[int, int]]]]:
    """Yield batches of at most ``size`` filled windows of N waveforms (T,): ((B, 480000), [(waveform, length)])."""
    cut = [(row, start, length) for row, wave in enumerate(waveforms) for start, length in spans(wave.shape[-1])]
    for first in range(0, len(cut), size):
        batch = cut[first : first + size]
        windows = torch.stack([fill_window(waveforms[row][start : start + length]) for row, start, length in batch])
        yield windows, [(row, length) for row, _, length in batch]
