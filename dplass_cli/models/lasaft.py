"""LaSAFT with GPoCM: conditioned separation of music (Choi et al., 2021, arXiv:2010.11631).

A U-Net of densely connected convolutions (TFC) on the spectrogram of stereo recordings. Its blocks are gated by the
query (GPoCM: gated point-wise convolutional modulation) and contain one frequency transformation per latent source,
which the query attends to (LaSAFT: latent source attentive frequency transformation). Parameters have the names and
shapes of the published checkpoints.

The published models know four sources by their numbers: the condition is a unit vector that selects a row of the table
``embedding``. With the embedding of a sentence as the condition, the same table is a linear layer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.audio.stft import STFT
from dplass_cli.errors import InputError, shown, some
from dplass_cli.models.base import AdaptableLayer, Analysis, Backbone, BaseModel, Controls, Layer, kernels
from dplass_cli.options.network_settings import LaSAFTConfig
from dplass_cli.options.parse import from_mapping

AUDIO_CHANNELS = LaSAFTConfig.audio_channels

_FLOOR = 1e-10

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}

_PUBLISHED_NAMES = {
    **{name: name for name in ("n_fft", "spec_type", "spec_est_mode", "internal_channels", "n_blocks")},
    **{name: name for name in ("n_internal_layers", "bn_factor", "min_bn_units", "num_tdfs", "dk", "embedding_dim")},
    **{name: name for name in ("condition_to", "control_n_layer", "pocm_norm", "last_activation")},
    "hop_length": "hop",
    "tfc_tdf_bias": "tdf_bias",
    "control_input_dim": "condition_size",
}
"""{hyper-parameter of the published code: our option}."""

_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "first_conv_activation": ("relu",),
    "tfc_tdf_activation": ("relu",),
    "t_down_layers": (None,),
    "f_down_layers": (None,),
    "control_type": ("dense",),
    "control_vector_type": ("embedding",),
}

_Modulation = tuple[Tensor, Tensor]
"""Weights (B, C, C) and biases (B, C) of a point-wise convolution, one per item of a batch."""


class DenseConvolutions(nn.Module):
    """TFC: convolutions that each see the outputs of those before them, newest first, and the input."""

    def __init__(self, inputs: int, config: LaSAFTConfig) -> None:
        super().__init__()
        width, (time, frequency) = config.internal_channels, config.kernel_size
        self.H = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs + layer * width, width, config.kernel_size, padding=(time // 2, frequency // 2)),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            )
            for layer in range(config.n_internal_layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        output = self.H[0](x)
        for layer in list(self.H)[1:]:
            x = torch.cat((output, x), dim=1)
            output = layer(x)
        return output  # type: ignore[no-any-return]


class FrequencyTransformation(nn.Module):
    """TDF: two linear maps along the frequency axis through fewer units, each with norm and ReLU."""

    def __init__(self, inputs: int, middle: int, outputs: int, config: LaSAFTConfig) -> None:
        super().__init__()
        first, second = _transformation(inputs, middle, config), _transformation(middle, outputs, config)
        self.tdf = nn.Sequential(*first, *second)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.tdf(x)
        return output


def _transformation(inputs: int, outputs: int, config: LaSAFTConfig) -> nn.Sequential:
    """A linear map along the frequency axis of (B, C, T, F), with norm and ReLU."""
    linear = nn.Linear(inputs, outputs, bias=config.tdf_bias)
    return nn.Sequential(linear, nn.BatchNorm2d(config.internal_channels), nn.ReLU())


class LaSAFTBlock(nn.Module):
    """Dense convolutions, the query's gate if there is one, and the frequency transformations of the latent sources."""

    def __init__(self, inputs: int, bins: int, config: LaSAFTConfig, gated: bool) -> None:
        super().__init__()
        self.tfc = DenseConvolutions(inputs, config)
        self.light, self.gated = config.light, gated
        if config.light:
            middle = max(bins // config.bn_factor, config.min_bn_units)
            self.LaSAFT_bn_layer = _transformation(bins, middle * config.num_tdfs, config)
            self.LaSIFT = _transformation(middle, bins, config)
        else:
            outputs = bins * config.num_tdfs
            middle = max(outputs // config.bn_factor, config.min_bn_units)
            self.tdfs = FrequencyTransformation(bins, middle, outputs, config)
        self.keys = nn.Parameter(torch.randn(config.dk, config.num_tdfs))
        self.linear_query = nn.Linear(config.embedding_dim, config.dk)

    def attention(self, embedding: Tensor) -> Tensor:
        """The weights (B, L) of the latent sources for queries with embeddings (B, E)."""
        return torch.softmax(self.linear_query(embedding) @ self.keys / math.sqrt(len(self.keys)), dim=-1)

    def forward(self, x: Tensor, controls: Controls, path: str) -> Tensor:
        """Map (B, C, T, F) to (B, C', T, F) with the controls at its path (:meth:`ConditionedUNet.controls`)."""
        x = self.tfc(x)
        if self.gated:
            x = x * torch.sigmoid(modulate(x, controls[f"{path}.weight"], controls[f"{path}.bias"]))
        out: Tensor = x + self.transformed(x, controls[f"{path}.attention"])
        return out

    def transformed(self, x: Tensor, attention: Tensor) -> Tensor:
        """LaSAFT: the latent sources' transformations of (B, C, T, F), averaged by the query's attention (B, L)."""
        if self.light:
            values = self.LaSAFT_bn_layer(x).unflatten(-1, (attention.shape[1], -1))  # one latent source after another
            return self.LaSIFT(torch.einsum("bctlf,bl->bctf", values, attention))  # type: ignore[no-any-return]
        values = self.tdfs(x).unflatten(-1, (-1, attention.shape[1]))  # all latent sources of one bin, then the next
        return torch.einsum("bctfl,bl->bctf", values, attention)


def modulate(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """PoCM: a point-wise convolution of (B, C, T, F) whose weight (B, C, C) and bias (B, C) belong to each item."""
    return torch.einsum("bitf,bij->bjtf", x, weight) + bias[:, :, None, None]


class ConditionNorm(nn.BatchNorm1d):
    """Batch norm of (B, E) that normalises a batch of one item, which has no variance, with the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class ConditionGenerator(nn.Module):
    """Computes the weights and biases of the gates from an embedding (B, E)."""

    def __init__(self, config: LaSAFTConfig) -> None:
        super().__init__()
        self.width, self.count = config.internal_channels, config.conditioned_blocks
        sizes = [config.embedding_dim * 2**layer for layer in range(config.control_n_layer)]
        layers: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
            if number > 0:
                layers += [nn.Dropout(), ConditionNorm(outputs)]
        self.dense_control_block = nn.ModuleDict({"linear": nn.Sequential(*layers)})
        self.linear_gamma = self._head(sizes[-1], self.count * self.width**2, config)
        self.linear_beta = self._head(sizes[-1], self.count * self.width, config)

    @staticmethod
    def _head(inputs: int, outputs: int, config: LaSAFTConfig) -> nn.Sequential:
        # The published code has an activation between them, which is the identity; it keeps the norm at number 2.
        norm = [ConditionNorm(outputs, affine=False)] if config.pocm_norm == "batch_norm" else []
        return nn.Sequential(nn.Linear(inputs, outputs), nn.Identity(), *norm)

    def forward(self, embedding: Tensor) -> Iterator[_Modulation]:
        controls = self.dense_control_block["linear"](embedding)
        weights = self.linear_gamma(controls).unflatten(-1, (self.count, self.width, self.width))
        biases = self.linear_beta(controls).unflatten(-1, (self.count, self.width))
        return zip(weights.unbind(1), biases.unbind(1), strict=True)


class ConditionedUNet(Backbone):
    """Maps spectrograms (B, channels, frames, bins) to spectrograms or masks of the same shape."""

    def __init__(self, config: LaSAFTConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        width, bins = config.internal_channels, config.n_fft // 2

        def block(place: str, inputs: int) -> LaSAFTBlock:
            return LaSAFTBlock(inputs, bins, config, config.condition_to in (place, "full"))

        # Two bins wide and unpadded: one bin less, so that the number of bins can be halved.
        self.first_conv = nn.Sequential(nn.Conv2d(channels, width, (1, 2)), nn.BatchNorm2d(width), nn.ReLU())
        self.encoders, self.downsamplings = nn.ModuleList(), nn.ModuleList()
        self.decoders, self.upsamplings = nn.ModuleList(), nn.ModuleList()
        for _ in range(config.n_blocks // 2):
            self.encoders.append(block("encoder", width))
            self.downsamplings.append(nn.Sequential(nn.Conv2d(width, width, 2, stride=2), nn.BatchNorm2d(width)))
            bins //= 2
        self.mid_block = block("middle", width)
        for _ in range(config.n_blocks // 2):
            bins *= 2
            up = nn.ConvTranspose2d(width, width, 2, stride=2)
            self.upsamplings.append(nn.Sequential(up, nn.BatchNorm2d(width)))
            self.decoders.append(block("decoder", 2 * width))
        self.last_conv = nn.Sequential(
            nn.Conv2d(width, channels, (1, 2), padding=(0, 1)), _ACTIVATIONS[config.last_activation]()
        )
        self.embedding = nn.Embedding(config.condition_size, config.embedding_dim)
        self.condition_generator = ConditionGenerator(config)

    def blocks(self) -> dict[str, LaSAFTBlock]:
        """The blocks by path, in forward order."""
        numbers = range(self.config.n_blocks // 2)
        paths = [*(f"encoders.{n}" for n in numbers), "mid_block", *(f"decoders.{n}" for n in numbers)]
        return {path: cast(LaSAFTBlock, self.get_submodule(path)) for path in paths}

    def controls(self, condition: Tensor) -> dict[str, Tensor]:
        """What conditions, float32 (B, D), decide in the blocks.

        Returns:
            {path.attention: (B, L) of each block's latent sources}, and for gated blocks {path.weight: (B, C, C),
            path.bias: (B, C)}.
        """
        embedding = condition @ self.embedding.weight
        modulations = self.condition_generator(embedding)
        found: dict[str, Tensor] = {}
        for path, block in self.blocks().items():
            found[f"{path}.attention"] = block.attention(embedding)
            if block.gated:
                found[f"{path}.weight"], found[f"{path}.bias"] = next(modulations)
        return found

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x (B, channels, frames, bins) with conditions, float32 (B, D); frames are padded to the grid."""
        frames = x.shape[2]
        x = F.pad(x, (0, 0, 0, -frames % self.config.grid[0]))
        return (self.runner or self.body)(x, self.controls(condition))[:, :, :frames]

    def body(self, x: Tensor, controls: Controls) -> Tensor:
        x = self.first_conv(x)
        skips = []
        for number, down in enumerate(self.downsamplings):
            skips.append(self.encoders[number](x, controls, f"encoders.{number}"))
            x = down(skips[-1])
        x = self.mid_block(x, controls, "mid_block")
        for number, up in enumerate(self.upsamplings):
            x = self.decoders[number](torch.cat((up(x), skips.pop()), dim=1), controls, f"decoders.{number}")
        return self.last_conv(x)  # type: ignore[no-any-return]

    @property
    def macs_per_cell(self) -> float:
        count, half = float(kernels(self.first_conv) + kernels(self.last_conv)), self.config.n_blocks // 2
        for number, block in enumerate(self.blocks().values()):
            level = half - abs(half - number)  # each halves frames and bins
            linear = sum(map(_weights, block.modules())) - _weights(block.linear_query)
            bins = self.config.n_fft // 2 >> level
            count += (kernels(block) + self.config.internal_channels * linear / bins) / 4**level
        return count


def _weights(module: nn.Module) -> int:
    """The number of weights of a linear map."""
    return module.weight.numel() if isinstance(module, nn.Linear) else 0


class LaSAFT(BaseModel):
    """The conditioned separation network. Mono mixtures are separated as stereo ones with equal channels."""

    name = "LaSAFT"

    def __init__(self, config: LaSAFTConfig | None = None) -> None:
        super().__init__()
        self.config: LaSAFTConfig = config or LaSAFTConfig()
        self.transform = STFT(self.config.n_fft, self.config.hop)
        self.feature_channels = AUDIO_CHANNELS * (2 if self.config.spec_type == "complex" else 1)
        self.spec2spec = ConditionedUNet(self.config, self.feature_channels)

    @classmethod
    def published_config(
        cls, state: Mapping[str, Tensor], hyper_parameters: Mapping[str, Any], where: str
    ) -> LaSAFTConfig | None:
        if not any(key.startswith("spec2spec.") for key in state):
            return None
        for name, supported in _SUPPORTED.items():
            if name in hyper_parameters and hyper_parameters[name] not in supported:
                raise InputError(
                    f"{where}: hyper-parameter {name} is {shown(hyper_parameters[name])}; supported: {some(supported)}"
                )
        options = {own: hyper_parameters[name] for name, own in _PUBLISHED_NAMES.items() if name in hyper_parameters}
        if "kernel_size_t" in hyper_parameters and "kernel_size_f" in hyper_parameters:
            options["kernel_size"] = (hyper_parameters["kernel_size_t"], hyper_parameters["kernel_size_f"])
        if options.get("pocm_norm", "") is None:
            options["pocm_norm"] = "none"
        options["light"] = any(".LaSIFT." in key for key in state)
        return from_mapping(LaSAFTConfig, options, f"{where}: hyper_parameters")

    @property
    def stft(self) -> STFT:
        return self.transform

    @property
    def backbone(self) -> ConditionedUNet:
        return self.spec2spec

    def analyse(self, mixture: Tensor) -> Analysis:
        with torch.autocast(mixture.device.type, enabled=False):
            batch, channels, length = mixture.shape
            spectrum: Tensor = self.transform(mixture.float().flatten(0, 1))
            seen = spectrum.reshape(batch, channels, *spectrum.shape[1:]).expand(-1, AUDIO_CHANNELS, -1, -1)
            complete = self.config.spec_type == "complex"
            features = torch.cat((seen.real, seen.imag), dim=1) if complete else seen.abs()
        return Analysis(spectrum, features, length)

    def estimate(self, features: Tensor, condition: Tensor) -> Tensor:
        """Map what the network sees of mixtures to the same of targets."""
        output: Tensor = self.spec2spec(features, condition)
        return features * output if self.config.spec_est_mode == "masking" else output

    def synthesise(self, analysis: Analysis, output: Tensor) -> Tensor:
        batch, channels = len(output), len(analysis.spectrum) // len(output)
        with torch.autocast(output.device.type, enabled=False):
            output = output.float()
            if self.config.spec_type == "complex":
                spectrum = torch.complex(*output.chunk(2, dim=1))
            else:
                phase = analysis.spectrum.angle().reshape(batch, channels, *output.shape[2:]).expand_as(output)
                spectrum = torch.complex(output * phase.cos(), output * phase.sin())
            waveforms = self.transform.inverse(spectrum.flatten(0, 1), analysis.length)
            waveforms = waveforms.reshape(batch, AUDIO_CHANNELS, -1)
        return waveforms if channels == AUDIO_CHANNELS else waveforms.mean(dim=1, keepdim=True)

    def separate_parts(self, real: Tensor, imaginary: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        batch, shape = len(condition), real.shape
        real, imaginary = (part.reshape(batch, AUDIO_CHANNELS, *shape[1:]) for part in (real, imaginary))
        if self.config.spec_type == "complex":
            output = self.estimate(torch.cat((real, imaginary), dim=1), condition)
            real, imaginary = output.chunk(2, dim=1)
        else:
            magnitude = torch.sqrt(real**2 + imaginary**2)
            scale = self.estimate(magnitude, condition) / magnitude.clamp(min=_FLOOR)
            real, imaginary = scale * real, scale * imaginary
        return real.reshape(shape), imaginary.reshape(shape)

    def adaptable_layers(self) -> list[AdaptableLayer]:
        """The convolutions; addresses count the densely connected ones of each block: ``encoder1.conv1`` …"""
        unet, half = self.spec2spec, self.config.n_blocks // 2
        found = [AdaptableLayer("pre_conv", "edge", "spec2spec.first_conv.0", _layer(unet.first_conv[0]))]
        for number in range(half):
            found += self._block(f"encoder{number + 1}", f"encoders.{number}")
            path = f"spec2spec.downsamplings.{number}.0"
            layer = _layer(self.get_submodule(path))
            found.append(AdaptableLayer(f"encoder{number + 1}.downsample", "downsample", path, layer))
        found += self._block("bottleneck", "mid_block")
        for number in range(half):
            path = f"spec2spec.upsamplings.{number}.0"
            layer = _layer(self.get_submodule(path))
            found.append(AdaptableLayer(f"decoder{number + 1}.upsample", "upsample", path, layer))
            found += self._block(f"decoder{number + 1}", f"decoders.{number}")
        return [*found, AdaptableLayer("after_conv", "edge", "spec2spec.last_conv.0", _layer(unet.last_conv[0]))]

    def _block(self, block: str, path: str) -> Iterator[AdaptableLayer]:
        for number in range(self.config.n_internal_layers):
            own = f"spec2spec.{path}.tfc.H.{number}.0"
            yield AdaptableLayer(f"{block}.conv{number + 1}", "conv", own, _layer(self.get_submodule(own)))


def _layer(module: nn.Module) -> Layer:
    assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    return module
