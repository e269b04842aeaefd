"""What generic code asks of a separation network, so that it need not know which one it runs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from torch import Tensor, nn

from dplass_cli.audio.stft import STFT
from dplass_cli.options.network_settings import NetworkConfig
from dplass_cli.weights.checkpoint_files import tensors_sha256

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


@dataclass(frozen=True)
class Analysis:
    """Transformed mixtures.

    Attributes:
        spectrum: complex64 (B·C, frames, bins) of all channels.
        features: what the network sees, float32 (M, K, frames, bins); M is B, or B·C with one mask per channel.
        length: samples of the waveforms.
    """

    spectrum: Tensor
    features: Tensor
    length: int


@dataclass(frozen=True)
class AdaptableLayer:
    """A layer that can be adapted.

    Attributes:
        address: its name for users: ``encoder1.conv1``, ``decoder2.upsample``, ``bottleneck.film2``, ``after_conv`` …
        kind: ``conv`` (the convolutions of blocks), ``upsample``, ``edge`` … as the network calls its kinds.
        path: its path in the network.
        layer: the layer itself.
    """

    address: str
    kind: str
    path: str
    layer: Layer

    @property
    def block(self) -> str:
        """``encoder1`` … ``bottleneck`` … ``decoder6``, ``pre_conv`` or ``after_conv``."""
        return self.address.partition(".")[0]

    def matches(self, name: str) -> bool:
        """Whether a name, possibly with ``*`` and ``?``, matches its address, its block or its kind."""
        return any(fnmatchcase(own, name) for own in (self.address, self.block, self.kind))


Controls = Mapping[str, Tensor]
"""What the query decides in a backbone, {path: one entry per item of a batch}; torch computes it."""


class Backbone(nn.Module, ABC):
    """The layers of a network on spectrograms: nearly all of its work, which other backends than torch may do.

    Attributes:
        runner: computes :meth:`body` in another backend, such as OpenVINO; None: torch does.
    """

    runner: Callable[[Tensor, Controls], Tensor] | None = None

    @abstractmethod
    def body(self, x: Tensor, controls: Controls) -> Tensor:
        """Map x, float32 (B, K, T, F), T a multiple of the network's grid, to its output maps."""

    @property
    @abstractmethod
    def macs_per_cell(self) -> float:
        """Multiply-accumulates of :meth:`body` per cell of x (in T and F), roughly."""

    @property
    def has_branches(self) -> bool:
        """Whether adapters that are not weight deltas (``conv-adapter``) are active, which only torch computes."""
        return any(layer._forward_hooks for layer in self.modules() if isinstance(layer, Layer))


def kernels(module: nn.Module) -> int:
    """The number of weights of the convolutions in a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.dim() == 4)


class BaseModel(nn.Module, ABC):
    """A separation network with the metadata of its file: maps a mixture and a query embedding to the target.

    Attributes:
        name: of the network.
        config: widths, transform, sample rate, channels and condition.
        feature_channels: K of the features.
        source: the file or built-in name it was loaded from.
        encoder_fingerprint: the fingerprint of the encoder it was trained with; None if the file has none.
    """

    name: ClassVar[str]
    config: NetworkConfig
    feature_channels: int = 1
    source: str = ""
    encoder_fingerprint: str | None = None

    @classmethod
    def published_config(
        cls, state: Mapping[str, Tensor], hyper_parameters: Mapping[str, Any], where: str
    ) -> NetworkConfig | None:
        """The configuration of a published checkpoint of this network, which does not contain ours; None for others.

        Args:
            state: the checkpoint's tensors.
            hyper_parameters: those that a Lightning checkpoint contains; {} if it does not.
            where: beginning of error messages.

        Raises:
            InputError: it is one of this network with hyper-parameters that are not supported.
        """
        return None

    def __repr__(self) -> str:
        parameters = sum(parameter.numel() for parameter in self.parameters())
        return (
            f"{type(self).__name__}({self.source!r}, {parameters / 1e6:.1f} M parameters, {self.config.sample_rate} Hz,"
            f" condition_size={self.config.condition_size})"
        )

    def sha256(self) -> str:
        """Hash the weights that a forward pass reads, as float32; a half-precision copy has another hash."""
        state = {k: v for k, v in self.state_dict().items() if not k.endswith("num_batches_tracked")}
        return tensors_sha256(state)

    @property
    def bytes_per_second(self) -> float:
        """Memory that a forward pass takes per second of a recording, roughly; infinite where it was not measured."""
        return math.inf

    @property
    @abstractmethod
    def stft(self) -> STFT:
        """The transform of the network."""

    @property
    @abstractmethod
    def backbone(self) -> Backbone:
        """Its layers on spectrograms."""

    @abstractmethod
    def analyse(self, mixture: Tensor) -> Analysis:
        """Transform mixtures, float32 (B, C, T), C 1 or ``config.audio_channels``; all queries share the result."""

    def share_mask(self, analysis: Analysis, channels: int) -> Analysis:
        """Make the ``channels`` channels of each mixture share one mask, where the network separates each alone."""
        return analysis

    @abstractmethod
    def estimate(self, features: Tensor, condition: Tensor) -> Tensor:
        """Run the network proper: features (B, K, frames, bins) and conditions (B, D) to its output maps."""

    @abstractmethod
    def synthesise(self, analysis: Analysis, output: Tensor) -> Tensor:
        """Make waveforms, float32 (B, C, T), of transformed mixtures and the network's output maps."""

    @abstractmethod
    def separate_parts(self, real: Tensor, imaginary: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Separate spectra without complex numbers, which exchange formats do not have.

        Args:
            real: real parts of the mixtures' spectra, float32 (B·C, frames, bins), C ``config.audio_channels``.
            imaginary: their imaginary parts, likewise.
            condition: float32 (B, D).

        Returns:
            (real, imaginary) parts of the targets' spectra, likewise.
        """

    def forward(self, mixture: Tensor | Analysis, condition: Tensor) -> Tensor:
        """Separate the sound that the query describes.

        Args:
            mixture: float32 (B, C, T) at ``config.sample_rate``, T > n_fft/2, C 1 or ``config.audio_channels``; or its
                :meth:`analyse`.
            condition: float32 (B, D), unit norm.

        Returns:
            float32 (B, C, T).
        """
        analysis = mixture if isinstance(mixture, Analysis) else self.analyse(mixture)
        return self.synthesise(analysis, self.estimate(analysis.features, condition))

    @abstractmethod
    def adaptable_layers(self) -> Sequence[AdaptableLayer]:
        """List all layers that can be adapted, in forward order; layers that no forward pass reads are left out."""

    def is_unread(self, parameter: str) -> bool:
        """Whether a parameter, or that of an adapter on it, is never read by a forward pass, judged by its name."""
        return False
