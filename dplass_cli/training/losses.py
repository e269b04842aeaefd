"""Training losses by name: (estimate, target, mixture), float32 (B, T) or (B, C, T), to one value per item, (B,).

Distances of spectra are means over the channels; an SDR is that of all channels together.

Where the target is silent (the query names a sound that is absent), an SDR is undefined. The losses then measure the
estimate's energy relative to the mixture's, as in Wisdom et al. 2021 ("What's All the FUSS About Free Universal Sound
Separation Data?", arXiv:2011.00803), and saturate 30 dB below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from dplass_cli.errors import InputError, check_choice

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

_EPS = 1e-8
_SATURATION = 1e-3  # -30 dB, so that easy items do not dominate the gradient
_SPEC_N_FFT = 2048
_RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))


def l1_wav(estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    """Mean absolute difference of the waveforms, the published loss."""
    return (estimate - target).abs().flatten(1).mean(dim=-1)


def negative_sdr(estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    """Negative SDR in dB, saturating near 30 dB."""
    estimate, target, mixture = estimate.flatten(1), target.flatten(1), mixture.flatten(1)
    energy = target.square().sum(dim=-1)
    reference = torch.where(energy > _EPS, energy, mixture.square().sum(dim=-1))
    error = (estimate - target).square().sum(dim=-1)
    return 10.0 * torch.log10((error + _SATURATION * reference + _EPS) / (reference + _EPS))


def negative_si_sdr(estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    """Negative scale-invariant SDR in dB (Le Roux et al. 2019, arXiv:1811.02508), saturating near 30 dB.

    It does not determine the estimate's level; where that matters, add a loss that does, such as ``l1_wav``.
    """
    estimate, target, mixture = estimate.flatten(1), target.flatten(1), mixture.flatten(1)
    energy = target.square().sum(dim=-1)
    scaled = ((estimate * target).sum(dim=-1) / (energy + _EPS))[:, None] * target
    signal, error = scaled.square().sum(dim=-1), (estimate - scaled).square().sum(dim=-1)
    audible = 10.0 * torch.log10((error + _SATURATION * signal + _EPS) / (signal + _EPS))
    return torch.where(energy > _EPS, audible, negative_sdr(estimate, target, mixture))


def spec_mse(estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    """Mean squared difference of the real and imaginary parts of the spectra, LaSAFT's loss (n_fft 2048, hop 1024)."""
    difference = (estimate - target).reshape(-1, estimate.shape[-1])
    window = torch.hann_window(_SPEC_N_FFT, device=difference.device)
    short = max(0, _SPEC_N_FFT - difference.shape[-1])
    padded = torch.nn.functional.pad(difference, (0, short))
    spectrum = torch.stft(padded, _SPEC_N_FFT, _SPEC_N_FFT // 2, window=window, return_complex=True)
    return torch.view_as_real(spectrum).square().mean(dim=(1, 2, 3)).reshape(len(estimate), -1).mean(dim=1)


def multi_resolution_stft(estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    """Spectral convergence and log-magnitude distance over three STFTs (Yamamoto et al. 2020, arXiv:1910.11480).

    Resolutions longer than the audio are left out. Where the target is silent, both terms refer to the mixture.
    """
    batch = len(estimate)
    estimate, target, mixture = (audio.reshape(-1, audio.shape[-1]) for audio in (estimate, target, mixture))
    silent = target.square().sum(dim=-1) <= _EPS
    total, used = torch.zeros_like(estimate[:, 0]), 0
    for n_fft, hop in _RESOLUTIONS:
        if estimate.shape[-1] <= n_fft // 2:
            continue
        window = torch.hann_window(n_fft, device=estimate.device)
        estimated, true, mixed = (_magnitude(audio, n_fft, hop, window) for audio in (estimate, target, mixture))
        norm = torch.where(silent, mixed.square().sum(dim=(1, 2)), true.square().sum(dim=(1, 2))).sqrt()
        convergence = (estimated - true).square().sum(dim=(1, 2)).clamp(min=_EPS).sqrt() / norm.clamp(min=1e-4)
        # A floor 60 dB below the item's level, so that inaudible bins have no gradient.
        floor = 1e-3 * norm[:, None, None] / (true.shape[1] * true.shape[2]) ** 0.5 + _EPS
        distance = (torch.log(estimated + floor) - torch.log(true + floor)).abs().mean(dim=(1, 2))
        total, used = total + convergence + distance, used + 1
    return (total / max(1, used)).reshape(batch, -1).mean(dim=1)


def _magnitude(audio: Tensor, n_fft: int, hop: int, window: Tensor) -> Tensor:
    spectrum = torch.stft(audio, n_fft, hop, window=window, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + _EPS).sqrt()


LOSSES: dict[str, Loss] = {
    "l1_wav": l1_wav,
    "negative_sdr": negative_sdr,
    "negative_si_sdr": negative_si_sdr,
    "spec_mse": spec_mse,
    "multi_resolution_stft": multi_resolution_stft,
}


def make_loss(chosen: str | Mapping[str, float]) -> Loss:
    """Return a loss by name, or the weighted sum of several: {name: weight}.

    Raises:
        InputError: an unknown name, or no weight above 0.
    """
    weights = {chosen: 1.0} if isinstance(chosen, str) else dict(chosen)
    for name in weights:
        check_choice("train.loss_type", name, LOSSES)
    if not weights or min(weights.values()) < 0 or max(weights.values()) == 0:
        raise InputError(f"train.loss_type {chosen!r}: give a name, or names with weights above 0")
    return partial(_weighted, weights)


def _weighted(weights: Mapping[str, float], estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    parts = [weight * LOSSES[name](estimate, target, mixture) for name, weight in weights.items()]
    return torch.stack(parts).sum(dim=0)
