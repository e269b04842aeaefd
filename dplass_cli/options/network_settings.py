"""The configuration of the separation network."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.declaration import Options, check_field, setting

_LARGEST, _MOST_LEVELS = 1 << 20, 16


@dataclass(frozen=True)
class ResUNet30Config(Options):
    """Widths and transform of the network; the defaults are the published ones."""

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
        check_field(self, "hop", self.hop <= self.n_fft, f"at most n_fft, {self.n_fft}: windows must not leave gaps")
        if len(self.channels) != len(self.downsample):
            raise ValueError(f"{len(self.channels)} channels but {len(self.downsample)} downsample pairs; give as many")
        if (self.n_fft // 2) % self.grid[1]:
            raise ValueError(
                f"n_fft/2, {self.n_fft // 2}, must be a multiple of the frequency downsampling, {self.grid[1]}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Cells (time frames, frequency bins) of the spectrogram under one cell of the bottleneck."""
        time, frequency = self.stem
        for down_time, down_frequency in self.downsample:
            time, frequency = time * down_time, frequency * down_frequency
        return time, frequency
