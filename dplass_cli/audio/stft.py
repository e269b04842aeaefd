"""Short-time Fourier transform: periodic Hann window, centred, reflect padding (golden facts: ``structure.stft``)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class STFT(nn.Module):
    """Forward and inverse transform of frames of ``n_fft`` samples that start every ``hop`` samples.

    Attributes:
        window: the analysis window, float32 (n_fft,); not part of the state dict, since it is not a weight.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        # On the CPU even when the module is built on the device "meta", where torch computes hann_window in Python and
        # imports torch._dynamo for it, which takes 2 s.
        self.register_buffer("window", torch.hann_window(n_fft, device="cpu"), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Transform float32 (N, T), T > n_fft/2, to complex64 (N, frames, bins), frames = T // hop + 1."""
        spectrum: Tensor = torch.stft(
            waveform, self.n_fft, self.hop, window=self.window, center=True, pad_mode="reflect", return_complex=True
        )
        return spectrum.transpose(1, 2)

    def inverse(self, spectrum: Tensor, length: int) -> Tensor:
        """Transform complex64 (N, frames, bins) back to waveforms, float32 (N, length)."""
        return torch.istft(spectrum.transpose(1, 2), self.n_fft, self.hop, window=self.window, length=length)
