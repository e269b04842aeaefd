"""The configurations of the separation networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from dplass_cli.errors import check_choice
from dplass_cli.options.declaration import Options, check_field, setting
from dplass_cli.options.parse import from_mapping

_LARGEST, _MOST_LEVELS, _MOST_BLOCKS = 1 << 20, 16, 32


class NetworkConfig(Options):
    """What generic code asks of the configuration of any network.

    Attributes:
        name: of the network, in the registry.
        condition_size: length D of the query embedding.
        n_fft: window of the transform in samples.
        hop: hop of the transform in samples.
        sample_rate: Hz.
        audio_channels: channels that the network separates together; recordings of other numbers of channels are
            separated channel by channel.
    """

    name: str
    condition_size: int
    n_fft: int
    hop: int
    sample_rate: int
    audio_channels: ClassVar[int] = 1

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Cells (time frames, frequency bins) of the spectrogram under one cell of the innermost level."""

    @abstractmethod
    def scaled(self, width: float) -> NetworkConfig:
        """The configuration with ``width`` times the channels, each at least 1; everything else is the same."""

    @property
    def input_level_db(self) -> float | None:
        """Level in dB re full scale to which recordings are scaled before the network; None: they stay as they are."""
        return None


@dataclass(frozen=True)
class ResUNet30Config(NetworkConfig):
    """Widths and transform of ResUNet30; the defaults are the published ones."""

    name: Literal["resunet30"] = setting(
        "resunet30",
        "The network: resunet30, or lasaft, which has the options from spec_type on; its own defaults are in"
        " configs/lasaft.yaml.",
    )
    condition_size: int = setting(512, "Length of the query embedding.")
    n_fft: int = setting(2048, "Window of the transform in samples.")
    hop: int = setting(320, "Hop of the transform in samples.")
    sample_rate: int = setting(32000, "Sample rate in Hz that the weights are trained for.")
    pre_channels: int = setting(32, "Channels after the first 1x1 convolution.")
    channels: tuple[int, ...] = setting(
        (32, 64, 128, 256, 384, 384), "Output channels of the encoder blocks, first to last."
    )
    downsample: tuple[tuple[int, int], ...] = setting(
        ((2, 2), (2, 2), (2, 2), (2, 2), (2, 2), (1, 2)), "Pooling (time, frequency) of each encoder block."
    )
    stem: tuple[int, int] = setting(
        (1, 1),
        "Cells (time, frequency) of the spectrogram folded into one cell of the first level; (1, 1) in AudioSep.",
    )
    input_power: float = setting(1.0, "Exponent applied to the magnitude before the input norm; 1 in AudioSep.")
    input_level_db: float | None = setting(
        None,
        "Level in dB re full scale to which recordings are scaled, without their offset, before the network hears"
        " them; AudioSep hears them as they are.",
        shown="as they are",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs = [value for pair in (*self.downsample, self.stem) for value in pair]
        sizes = [self.condition_size, self.n_fft, self.hop, self.sample_rate, self.pre_channels, *self.channels, *pairs]
        if not self.channels or len(self.channels) > _MOST_LEVELS or not all(0 < size <= _LARGEST for size in sizes):
            raise ValueError(f"sizes of a network are from 1 to {_LARGEST:,}, its levels from 1 to {_MOST_LEVELS}")
        check_field(self, "hop", self.hop < self.n_fft, f"less than n_fft, {self.n_fft}: windows must overlap")
        if len(self.channels) != len(self.downsample):
            raise ValueError(f"{len(self.channels)} channels but {len(self.downsample)} downsample pairs; give as many")
        if (self.n_fft // 2) % self.grid[1]:
            raise ValueError(
                f"n_fft/2, {self.n_fft // 2}, must be a multiple of the frequency downsampling, {self.grid[1]}"
            )

    def scaled(self, width: float) -> ResUNet30Config:
        channels = tuple(_scaled(each, width) for each in self.channels)
        return replace(self, pre_channels=_scaled(self.pre_channels, width), channels=channels)

    @property
    def grid(self) -> tuple[int, int]:
        """Cells (time frames, frequency bins) of the spectrogram under one cell of the bottleneck."""
        time, frequency = self.stem
        for down_time, down_frequency in self.downsample:
            time, frequency = time * down_time, frequency * down_frequency
        return time, frequency


@dataclass(frozen=True)
class LaSAFTConfig(NetworkConfig):
    """Widths and transform of LaSAFT; the defaults are the proposed model of its published code.

    Names follow the published hyper-parameters. Recordings are stereo.
    """

    audio_channels = 2

    name: Literal["lasaft"] = setting("lasaft", "The network: resunet30 or lasaft.")
    condition_size: int = setting(4, "Length of the query embedding; 4 where it says which of the four sources.")
    n_fft: int = setting(2048, "Window of the transform in samples.")
    hop: int = setting(1024, "Hop of the transform in samples.")
    sample_rate: int = setting(44100, "Sample rate in Hz that the weights are trained for.")
    spec_type: Literal["complex", "magnitude"] = setting(
        "complex", "What the network sees of the spectrogram: real and imaginary parts, or magnitudes."
    )
    spec_est_mode: Literal["mapping", "masking"] = setting(
        "mapping", "Whether the output is the target's spectrogram, or a mask on the mixture's."
    )
    light: bool = setting(False, "Share one transform back to frequencies among the latent sources (LightSAFT).")
    internal_channels: int = setting(24, "Channels of the feature maps.")
    n_blocks: int = setting(7, "Blocks: an odd number, half of them on the way down and half on the way up.")
    n_internal_layers: int = setting(5, "Densely connected convolutions in a block.")
    kernel_size: tuple[int, int] = setting((3, 3), "Kernel (time, frequency) of these convolutions; odd numbers.")
    bn_factor: int = setting(16, "Frequency transformations have this many times fewer units in the middle.")
    min_bn_units: int = setting(16, "Fewest units in the middle of a frequency transformation.")
    tdf_bias: bool = setting(True, "Whether frequency transformations have a bias.")
    num_tdfs: int = setting(6, "Latent sources, each with its own frequency transformation.")
    dk: int = setting(32, "Length of the keys and queries of the attention on latent sources.")
    embedding_dim: int = setting(32, "Length of the embedding that the query embedding is mapped to.")
    condition_to: Literal["encoder", "decoder", "full"] = setting("decoder", "Blocks that are gated by the query.")
    control_n_layer: int = setting(4, "Layers, the embedding included, of the network that computes the gates.")
    pocm_norm: Literal["batch_norm", "none"] = setting("batch_norm", "Norm of the gates' weights and biases.")
    last_activation: Literal["identity", "sigmoid", "relu", "tanh"] = setting("identity", "Activation of the output.")

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = [self.condition_size, self.n_fft, self.hop, self.sample_rate, self.internal_channels, self.bn_factor]
        sizes += [self.min_bn_units, self.dk, self.embedding_dim]
        counts = [self.n_blocks, self.n_internal_layers, *self.kernel_size, self.num_tdfs, self.control_n_layer]
        if not all(0 < size <= _LARGEST for size in sizes) or not all(0 < count <= _MOST_BLOCKS for count in counts):
            raise ValueError(
                f"sizes of a network are from 1 to {_LARGEST:,}, its blocks, layers, kernels and latent sources from 1"
                f" to {_MOST_BLOCKS}"
            )
        check_field(self, "hop", self.hop < self.n_fft, f"less than n_fft, {self.n_fft}: windows must overlap")
        check_field(self, "n_blocks", self.n_blocks % 2 == 1, "an odd number")
        check_field(self, "kernel_size", all(size % 2 for size in self.kernel_size), "two odd numbers")
        unit = 2 * self.grid[1]
        check_field(self, "n_fft", self.n_fft % unit == 0, f"a multiple of {unit}, by the number of blocks")

    def scaled(self, width: float) -> LaSAFTConfig:
        return replace(self, internal_channels=_scaled(self.internal_channels, width))

    @property
    def grid(self) -> tuple[int, int]:
        """Cells (time frames, frequency bins) of the spectrogram under one cell of the middle block."""
        return 2 ** (self.n_blocks // 2), 2 ** (self.n_blocks // 2)

    @property
    def conditioned_blocks(self) -> int:
        """The number of blocks that are gated by the query."""
        return self.n_blocks if self.condition_to == "full" else self.n_blocks // 2


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


CONFIGS: dict[str, type[NetworkConfig]] = {"resunet30": ResUNet30Config, "lasaft": LaSAFTConfig}


def network_config(tree: Mapping[str, Any], where: str) -> NetworkConfig:
    """Build the configuration of a network from a mapping, strictly; files of version 0.1 do not name the network.

    InputError, beginning with ``where``, if it names no known network, or an option is unknown or ill-typed.
    """
    name = tree.get("name", ResUNet30Config.name)
    check_choice(f"{where}: name", name, CONFIGS)
    return from_mapping(CONFIGS[name], tree, where)
