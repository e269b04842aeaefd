"""Short-time Fourier transform: periodic Hann window, centred, reflect padding (golden facts: ``structure.stft``)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class STFT(nn.Module):
    """Forward and inverse transform with ``n_fft`` samples a frame and ``hop`` samples between frames.

    The window is no part of the state dict: it is a fact, not a weight.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Transform (N, T) float32, T > n_fft/2, to complex64 (N, frames, bins), frames = T // hop + 1."""
        spectrum: Tensor = torch.stft(
            waveform, self.n_fft, self.hop, window=self.window, center=True, pad_mode="reflect", return_complex=True
        )
        return spectrum.transpose(1, 2)

    def inverse(self, spectrum: Tensor, length: int) -> Tensor:
        """Transform complex64 (N, frames, bins) back to float32 (N, length)."""
        return torch.istft(spectrum.transpose(1, 2), self.n_fft, self.hop, window=self.window, length=length)
