"""Writing AudioSep's checkpoint layout: every tensor of its own code, in its order, including STFT kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dplass_cli.errors import InputError, RunError, first_line
from dplass_cli.models.base import BaseModel
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.storage import atomic_path
from dplass_cli.weights.checkpoint_files import NETWORK_PREFIX, read_tensors


def audiosep_state(network: BaseModel) -> dict[str, Tensor]:
    """The network's state dict with the keys of AudioSep's ResUNet30 (golden ``resunet30_layout.json``).

    InputError if AudioSep's code cannot represent the network.
    """
    config = network.config
    if not isinstance(config, ResUNet30Config):
        raise InputError(
            f"--output: AudioSep's checkpoints contain ResUNet30, but this base is {network.name}; write a plain base"
            " with 'dplass adapters merge ADAPTER --output NAME.safetensors'"
        )
    if config.stem != (1, 1) or config.input_power != 1.0 or config.input_level_db is not None:
        raise InputError(
            "--output: AudioSep's network has no stem, input power or input level, but this base does; write a plain"
            " base with 'dplass adapters merge ADAPTER --output NAME.safetensors'"
        )
    state = {f"base.{key}": kernel for key, kernel in transform_kernels(config.n_fft).items()}
    return state | {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}


def transform_kernels(n_fft: int) -> dict[str, Tensor]:
    """The STFT as convolution kernels, float32, as AudioSep's network stores it (torchlibrosa 0.1.0, ``stft.py``).

    ``stft.*`` (bins, 1, n_fft) are windowed cosines and negative sines; ``istft.*`` (n_fft, n_fft, 1) is the windowed
    inverse transform; ``ola_window`` is the squared window. The window is a periodic Hann window.
    """
    samples = np.arange(n_fft)
    # Phases are reduced modulo one turn first, so that the cosines are exact in float32.
    phase = 2.0 * np.pi * (np.outer(samples, samples) % n_fft) / n_fft
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * samples / n_fft)
    cosine, sine, bins = np.cos(phase), np.sin(phase), n_fft // 2 + 1
    kernels = {
        "stft.conv_real.weight": (cosine[:bins] * window)[:, None],
        "stft.conv_imag.weight": (-sine[:bins] * window)[:, None],
        "istft.ola_window": window**2,
        "istft.conv_real.weight": (cosine * window[:, None] / n_fft)[:, :, None],
        "istft.conv_imag.weight": (sine * window[:, None] / n_fft)[:, :, None],
    }
    return {key: torch.from_numpy(kernel.astype(np.float32)) for key, kernel in kernels.items()}


def write_checkpoint(path: Path | str, content: Mapping[str, Any]) -> None:
    """Write a pickled checkpoint of plain tensors, atomically."""
    with atomic_path(path) as temporary:
        try:
            torch.save(dict(content), temporary)
        except RuntimeError as error:  # how PyTorch reports a full disk
            raise RunError(f"{path}: writing failed ({first_line(error)}); free space and run again") from error


def write_audiosep(path: Path | str, network: BaseModel, source: Path | str | None = None, trust: bool = False) -> None:
    """Write a network as AudioSep's Lightning checkpoint: its tensors under ``ss_model.`` in ``state_dict``.

    The ``query_encoder.*`` tensors of ``source``, the checkpoint the base came from, are copied.
    """
    state = {NETWORK_PREFIX + key: tensor for key, tensor in audiosep_state(network).items()}
    if source is not None and Path(source).suffix != ".safetensors":
        content = read_tensors(source, trust)[0].get("state_dict", {})
        state |= {key: value for key, value in content.items() if key.startswith("query_encoder.")}
    # Lightning requires a version, which it uses to migrate old checkpoints; the loop's state is left out.
    write_checkpoint(path, {"epoch": 0, "global_step": 0, "pytorch-lightning_version": "2.0.0", "state_dict": state})
