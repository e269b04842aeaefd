"""ResUNet30: AudioSep's separation network (Liu et al., "Separate Anything You Describe", 2023; arXiv:2308.05037).

A residual U-Net on the mixture's magnitude, conditioned through FiLM on a query embedding, predicts a magnitude mask
and a phase rotation. With the default configuration, parameters have the names and shapes of AudioSep's checkpoints.
Widths, transform and condition size are configurable, as are two extensions for small models (``stem``,
``input_power``) that do nothing by default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.audio.stft import STFT
from dplass_cli.models.base import AdaptableLayer, Analysis, Backbone, BaseModel, Controls, kernels
from dplass_cli.models.memory_efficient import average_pool, conditioned, convolution, pointwise
from dplass_cli.options.network_settings import ResUNet30Config

_FLOOR = 1e-10
_MAPS, _PLANES = 12, 24  # maps of the first level, and values per cell of the spectrum, that exist at once; measured

_DCASE_2024 = ResUNet30Config(n_fft=1024, hop=160, sample_rate=16000)
"""The baseline of DCASE 2024's task 9, according to models/resunet.py and README.md of its repository,
github.com/Audio-AGI/dcase2024_task9_baseline."""


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=0.01)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each after norm, beta and leaky ReLU, plus the input or its 1x1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = _batch_norm(inputs), _batch_norm(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None
        self.beta_features = {"beta1": inputs, "beta2": outputs}

    def forward(self, x: Tensor, betas: Controls, path: str) -> Tensor:
        y = convolution(self.conv1, conditioned(self.bn1, x, betas[f"{path}.beta1"]))
        y = convolution(self.conv2, conditioned(self.bn2, y, betas[f"{path}.beta2"]))
        out: Tensor = y + (x if self.shortcut is None else pointwise(self.shortcut, x))
        return out


class EncoderBlock(nn.Module):
    """A residual block, then average pooling; the unpooled map is the skip connection."""

    def __init__(self, inputs: int, outputs: int, downsample: tuple[int, int]) -> None:
        super().__init__()
        self.conv_block1 = ResidualBlock(inputs, outputs)
        self.downsample = downsample
        self.beta_features = {f"conv_block1.{k}": v for k, v in self.conv_block1.beta_features.items()}

    def forward(self, x: Tensor, betas: Controls, path: str) -> tuple[Tensor, Tensor]:
        skip = self.conv_block1(x, betas, f"{path}.conv_block1")
        return average_pool(skip, self.downsample), skip


class DecoderBlock(nn.Module):
    """A transposed convolution up, concatenated with the skip, then a residual block.

    ``bn2`` and ``beta2`` exist in AudioSep's checkpoints, but no forward pass reads them; they keep the layouts equal.
    """

    def __init__(self, inputs: int, skip: int, outputs: int, upsample: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, upsample, stride=upsample, bias=False)
        self.bn1 = _batch_norm(inputs)
        self.conv_block2 = ResidualBlock(outputs + skip, outputs)
        self.bn2 = _batch_norm(inputs)
        self.beta_features = {"beta1": inputs, "beta2": inputs}
        self.beta_features |= {f"conv_block2.{k}": v for k, v in self.conv_block2.beta_features.items()}

    def forward(self, x: Tensor, skip: Tensor, betas: Controls, path: str) -> Tensor:
        x = self.conv1(conditioned(self.bn1, x, betas[f"{path}.beta1"]))
        out: Tensor = self.conv_block2(torch.cat((x, skip), dim=1), betas, f"{path}.conv_block2")
        return out


class ResUNetBase(Backbone):
    """The network without FiLM: maps magnitudes and betas to masks.

    Attributes:
        encoders: attribute names of the encoder blocks, first to last.
        decoders: attribute names of the decoder blocks, first to last.
    """

    def __init__(self, config: ResUNet30Config) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        self.stft = STFT(config.n_fft, config.hop)
        self.bn0 = _batch_norm(config.n_fft // 2 + 1)
        self.pre_conv = nn.Conv2d(1, config.pre_channels, config.stem, stride=config.stem)
        self.encoders: list[str] = []
        self.decoders: list[str] = []
        for index, (inputs, outputs) in enumerate(zip((config.pre_channels, *widths), widths, strict=False), start=1):
            self.encoders.append(f"encoder_block{index}")
            self.add_module(self.encoders[-1], EncoderBlock(inputs, outputs, config.downsample[index - 1]))
        self.conv_block7a = EncoderBlock(widths[-1], widths[-1], (1, 1))
        inputs = widths[-1]
        for index, level in enumerate(reversed(range(len(widths))), start=1):
            self.decoders.append(f"decoder_block{index}")
            block = DecoderBlock(inputs, widths[level], widths[level], config.downsample[level])
            self.add_module(self.decoders[-1], block)
            inputs = widths[level]
        self.after_conv = nn.Conv2d(inputs, 3 * config.stem[0] * config.stem[1], 1)

    def blocks(self) -> dict[str, nn.Module]:
        """The conditioned blocks by attribute name, in forward order."""
        names = [*self.encoders, "conv_block7a", *self.decoders]
        return {name: self.get_submodule(name) for name in names}

    def beta_features(self) -> dict[str, int]:
        """The betas of all blocks, which FiLM supplies: {path: channels}."""
        features: dict[str, int] = {}
        for name, block in self.blocks().items():
            assert isinstance(block, (EncoderBlock, DecoderBlock))
            features |= {f"{name}.{path}": channels for path, channels in block.beta_features.items()}
        return features

    def analyse(self, mixture: Tensor) -> Analysis:
        """Transform mixtures, float32 (B, 1, T); the features are the magnitudes, at least 1e-5."""
        with torch.autocast(mixture.device.type, enabled=False):
            spectrum = self.stft(mixture[:, 0].float())
            magnitude = torch.sqrt((spectrum.real**2 + spectrum.imag**2).clamp(min=_FLOOR))
        return Analysis(spectrum, magnitude[:, None], mixture.shape[-1])

    def logits(self, magnitude: Tensor, betas: Controls) -> Tensor:
        """Map magnitudes (B, 1, frames, bins) to the three output maps (B, 3, frames, bins)."""
        frames, grid = magnitude.shape[2], self.config.grid
        if self.config.input_power != 1.0:
            magnitude = magnitude**self.config.input_power
        x = self.bn0(magnitude.transpose(1, 3)).transpose(1, 3)
        x = F.pad(x[..., :-1], (0, 0, 0, -frames % grid[0]))  # the Nyquist bin is not modelled
        x = unfold_stem((self.runner or self.body)(x, betas), self.config.stem)
        return F.pad(x[:, :, :frames], (0, 1))  # zero logits for the Nyquist bin

    def body(self, x: Tensor, betas: Controls) -> Tensor:
        """Apply the convolutions to (B, 1, T, F), a multiple of the grid: (B, 3·t·f, T/t, F/f) with the stem (t, f)."""
        x = self.pre_conv(x)
        skips = []
        for name in self.encoders:
            x, skip = self.get_submodule(name)(x, betas, name)
            skips.append(skip)
        x, _ = self.conv_block7a(x, betas, "conv_block7a")
        for name in self.decoders:
            x = self.get_submodule(name)(x, skips.pop(), betas, name)
        return pointwise(self.after_conv, x)

    @property
    def macs_per_cell(self) -> float:
        count, cells = 0.0, float(math.prod(self.config.stem))
        levels = zip(self.encoders, reversed(self.decoders), self.config.downsample, strict=True)
        for encoder, decoder, (time, frequency) in levels:
            up = self.get_submodule(decoder)
            assert isinstance(up, DecoderBlock)
            count += (kernels(self.get_submodule(encoder)) + kernels(up.conv_block2)) / cells
            cells *= time * frequency
            count += kernels(up.conv1) / cells
        return count + kernels(self.conv_block7a) / cells


def unfold_stem(x: Tensor, stem: tuple[int, int]) -> Tensor:
    """Rearrange (B, 3·t·f, T, F) to (B, 3, T·t, F·f), undoing the folding of the stem (t, f)."""
    if stem == (1, 1):
        return x
    batch, channels, frames, bins = x.shape
    time, frequency = stem
    x = x.reshape(batch, channels // (time * frequency), time, frequency, frames, bins)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(batch, -1, frames * time, bins * frequency)


def apply_masks(spectrum: Tensor, logits: Tensor) -> Tensor:
    """Mask the magnitude and rotate the phase of the mixture (golden facts: ``structure.heads``).

    The spectrum and the result are complex64 (B, frames, bins), the logits float32 (B, 3, frames, bins). The Nyquist
    bin becomes zero, because its rotation has no direction.
    """
    mask, cosine, sine = mask_and_rotation(logits)
    # AudioSep computes mask·magnitude·(phase of the mixture), which equals mask·spectrum, also in silent cells.
    return spectrum * mask * torch.complex(cosine, sine)


def mask_and_rotation(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn logits (B, 3, frames, bins) into (magnitude mask, cosine, sine of the rotation), each (B, frames, bins)."""
    real, imag = torch.tanh(logits[:, 1]), torch.tanh(logits[:, 2])
    length = torch.sqrt((real**2 + imag**2).clamp(min=_FLOOR))
    return torch.sigmoid(logits[:, 0]), real / length, imag / length


class FiLM(nn.Module):
    """Linear maps from conditions to the betas, which are added to feature maps (golden facts: ``structure.film``).

    The map of the beta ``a.b.beta1`` is stored under the name ``a->b->beta1``, as in AudioSep's checkpoints.
    """

    def __init__(self, features: Mapping[str, int], condition_size: int) -> None:
        super().__init__()
        self._paths = list(features)
        for path, channels in features.items():
            self.add_module(path.replace(".", "->"), nn.Linear(condition_size, channels))

    def forward(self, condition: Tensor) -> dict[str, Tensor]:
        """Map conditions, float32 (B, D), to betas: {path: (B, C, 1, 1)}."""
        betas: dict[str, Tensor] = {}
        for path in self._paths:
            beta: Tensor = self.get_submodule(path.replace(".", "->"))(condition)
            betas[path] = beta[:, :, None, None]
        return betas

    def reset(self) -> None:
        """Initialise every map as AudioSep does: Xavier weights, zero bias."""
        for module in self.children():
            assert isinstance(module, nn.Linear)
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


class ResUNet30(BaseModel):
    """The conditioned separation network; it separates one channel at a time."""

    name = "ResUNet30"

    def __init__(self, config: ResUNet30Config | None = None) -> None:
        super().__init__()
        self.config: ResUNet30Config = config or ResUNet30Config()
        self.base = ResUNetBase(self.config)
        self.film = FiLM(self.base.beta_features(), self.config.condition_size)
        self.film.reset()

    @classmethod
    def published_config(
        cls, state: Mapping[str, Tensor], hyper_parameters: Mapping[str, Any], where: str
    ) -> ResUNet30Config | None:
        bins = state.get("base.bn0.weight", torch.empty(0)).shape
        return _DCASE_2024 if bins == (_DCASE_2024.n_fft // 2 + 1,) else None

    @property
    def bytes_per_second(self) -> float:
        """Of float32 in OpenVINO; torch takes up to a third more."""
        config = self.config
        cells = config.sample_rate / config.hop * config.n_fft / 2
        return 4.0 * cells * (_MAPS * config.pre_channels / math.prod(config.stem) + _PLANES)

    @property
    def stft(self) -> STFT:
        return self.base.stft

    @property
    def backbone(self) -> ResUNetBase:
        return self.base

    def analyse(self, mixture: Tensor) -> Analysis:
        return self.base.analyse(mixture)

    def share_mask(self, analysis: Analysis, channels: int) -> Analysis:
        """Make channels share one mask, from the mean of their energies."""
        energy = analysis.features.square()
        energy = energy.reshape(-1, channels, *energy.shape[1:]).mean(dim=1)
        return Analysis(analysis.spectrum, energy.sqrt(), analysis.length)

    def estimate(self, features: Tensor, condition: Tensor) -> Tensor:
        """Map magnitudes to the logits of mask and rotation (B, 3, frames, bins)."""
        return self.base.logits(features, self.film(condition))

    def synthesise(self, analysis: Analysis, output: Tensor) -> Tensor:
        logits = output.float()
        with torch.autocast(logits.device.type, enabled=False):
            separated = apply_masks(analysis.spectrum, logits)
            return self.stft.inverse(separated, analysis.length)[:, None]

    def separate_parts(self, real: Tensor, imaginary: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        magnitude = torch.sqrt((real**2 + imaginary**2).clamp(min=_FLOOR))
        mask, cosine, sine = mask_and_rotation(self.estimate(magnitude[:, None], condition))
        return mask * (real * cosine - imaginary * sine), mask * (real * sine + imaginary * cosine)

    def adaptable_layers(self) -> list[AdaptableLayer]:
        """Kinds: ``conv`` (3x3 of a residual block), ``shortcut`` (its 1x1), ``upsample``, ``film``, ``edge``."""
        base = self.base
        found = [AdaptableLayer("pre_conv", "edge", "base.pre_conv", base.pre_conv)]
        for name, block in base.blocks().items():
            block_name = "bottleneck" if name == "conv_block7a" else name.replace("_block", "")
            if isinstance(block, EncoderBlock):
                found += _residual(block_name, f"base.{name}.conv_block1", block.conv_block1)
                betas = {"film1": "conv_block1.beta1", "film2": "conv_block1.beta2"}
            else:
                assert isinstance(block, DecoderBlock)
                found.append(AdaptableLayer(f"{block_name}.upsample", "upsample", f"base.{name}.conv1", block.conv1))
                found += _residual(block_name, f"base.{name}.conv_block2", block.conv_block2)
                betas = {"film_upsample": "beta1", "film1": "conv_block2.beta1", "film2": "conv_block2.beta2"}
            for layer, beta in betas.items():
                path = "film." + f"{name}.{beta}".replace(".", "->")
                linear = self.get_submodule(path)
                assert isinstance(linear, nn.Linear)
                found.append(AdaptableLayer(f"{block_name}.{layer}", "film", path, linear))
        return [*found, AdaptableLayer("after_conv", "edge", "base.after_conv", base.after_conv)]

    def is_unread(self, parameter: str) -> bool:
        return re.search(r"decoder_block\d+(\.bn2|->beta2)\b", parameter) is not None


def _residual(block: str, path: str, residual: ResidualBlock) -> Iterator[AdaptableLayer]:
    yield AdaptableLayer(f"{block}.conv1", "conv", f"{path}.conv1", residual.conv1)
    yield AdaptableLayer(f"{block}.conv2", "conv", f"{path}.conv2", residual.conv2)
    if residual.shortcut is not None:
        yield AdaptableLayer(f"{block}.shortcut", "shortcut", f"{path}.shortcut", residual.shortcut)
