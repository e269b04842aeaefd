"""The whole network, from waveform to waveform, in operations that every exchange format supports.

It uses no complex numbers: both transforms are convolutions with the kernels of a windowed Fourier transform.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.models.resunet30 import ResUNet30, mask_and_rotation


class OnnxWrapper(nn.Module):
    """Computes the same as :meth:`ResUNet30.forward <dplass_cli.models.resunet30.ResUNet30.forward>`.

    Args:
        network: the network with its adapter active; it is not copied.
    """

    analysis: Tensor
    synthesis: Tensor
    squares: Tensor

    def __init__(self, network: ResUNet30) -> None:
        super().__init__()
        self.network, self.n_fft, self.hop = network, network.config.n_fft, network.config.hop
        window = network.base.stft.window.double().cpu()
        bins, samples = torch.arange(self.n_fft // 2 + 1), torch.arange(self.n_fft)
        # Reduced modulo one turn, so that the argument of the cosine is small and exact.
        angle = 2 * math.pi * (bins[:, None] * samples % self.n_fft).double() / self.n_fft
        kernels = torch.cat((angle.cos(), -angle.sin()))[:, None] * window
        weights = torch.full(
            (len(bins),), 2.0
        ).double()  # all bins but the first and last also represent their mirror image
        weights[0] = weights[-1] = 1.0
        self.register_buffer("analysis", kernels.float())
        self.register_buffer("synthesis", (kernels * weights.repeat(2)[:, None, None] / self.n_fft).float())
        self.register_buffer("squares", window.square()[None, None].float())

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate mixtures (B, 1, T), T > n_fft/2, by conditions (B, D): (B, 1, T) float32."""
        half, samples = self.n_fft // 2, mixture.shape[-1]
        parts = F.conv1d(F.pad(mixture, (half, half), mode="reflect"), self.analysis, stride=self.hop)
        real, imag = parts.transpose(1, 2).chunk(2, dim=-1)  # (B, frames, bins)
        magnitude = torch.sqrt((real**2 + imag**2).clamp(min=1e-10))
        base = self.network.base
        mask, cosine, sine = mask_and_rotation(base.logits(magnitude[:, None], self.network.film(condition)))
        masked = torch.cat((mask * (real * cosine - imag * sine), mask * (real * sine + imag * cosine)), dim=-1)
        summed = F.conv_transpose1d(masked.transpose(1, 2), self.synthesis, stride=self.hop)
        envelope = F.conv_transpose1d(torch.ones_like(parts[:1, :1]), self.squares, stride=self.hop)
        return (summed / envelope.clamp(min=1e-10))[..., half : half + samples]
