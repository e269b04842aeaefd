"""Augmentations of the mel inputs of the tiny encoder, for heads on its frozen embeddings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from dplass_cli.audio.reading import fit_length, read_mono
from dplass_cli.data.augmentations import Scene, impulse_responses, reverberate
from dplass_cli.encoders import QueryEncoder, TinyEncoder
from dplass_cli.encoders.cache import Vectors
from dplass_cli.encoders.clips import Clip
from dplass_cli.errors import InputError
from dplass_cli.options.augmentation_settings import ReverberationSettings
from dplass_cli.options.head_options import HeadSettings, MelAugmentation

_BATCH = 64  # clips among which partners are drawn, as in a training batch
_LONGEST_SECONDS, _SHORTEST_SECONDS = 10.0, 1.0  # of the encoder's windows
_LEAST_DEVIATION = 1e-4  # of a mel band over time; digital silence has none


class Augmented(NamedTuple):
    """The embedding of an augmented clip.

    Attributes:
        row: which clip it is of.
        partner: which clip it was mixed with; the same row without mixup.
        share: of the clip in the mixture; 1 without mixup.
        vector: float32 (D,).
    """

    row: int
    partner: int
    share: float
    vector: Vectors


class MelAugmenter:
    """Embeds augmented copies of clips.

    Args:
        encoder: the tiny encoder.
        names: augmentations, all of which are applied to each copy.
        settings: number of copies and the distribution of shares.
        seed: of all random numbers.
        responses: folder of impulse responses, for ``impulse``.

    Raises:
        InputError: another encoder, or ``impulse`` without impulse responses.
    """

    def __init__(
        self,
        encoder: QueryEncoder,
        names: Collection[MelAugmentation],
        settings: HeadSettings,
        seed: int,
        responses: Path | None = None,
    ) -> None:
        if not isinstance(encoder, TinyEncoder):
            raise InputError(
                f"--augment: works on the mel inputs of tiny encoders, not of {encoder.name}; leave it out"
            )
        if "impulse" in names:
            if responses is None:
                raise InputError(
                    "--augment impulse: needs impulse responses; name their folder: --impulse-responses DIR"
                )
            impulse_responses(responses)  # fails before any clip is read
        self._encoder, self._names, self._settings, self._seed = encoder, names, settings, seed
        self._responses = responses

    def __call__(self, clips: Sequence[Clip]) -> Iterator[Augmented]:
        """Embed the copies of clips, which are read in batches; partners are clips of the same batch."""
        rng = np.random.default_rng(self._seed)
        for first in range(0, len(clips), _BATCH):
            waveforms = [self._read(clip) for clip in clips[first : first + _BATCH]]
            for _ in range(self._settings.copies):
                for row, partner, share, mel in self._copies(waveforms, rng):
                    with torch.inference_mode():
                        vector = self._encoder.audio.embed(mel)[0].cpu().numpy()
                    yield Augmented(first + row, first + partner, share, vector)

    def _copies(self, waveforms: Sequence[Tensor], rng: Generator) -> Iterator[tuple[int, int, float, Tensor]]:
        mels = [self._mel(waveform, rng) for waveform in waveforms]
        styles, partners = rng.permutation(len(mels)), rng.permutation(len(mels))
        alpha = self._settings.alpha
        if "freq-mixstyle" in self._names:
            mels = [
                mix_style(mel, mels[style], rng.beta(alpha, alpha)) for mel, style in zip(mels, styles, strict=True)
            ]
        for row, mel in enumerate(mels):
            if "mixup" in self._names:
                partner, share = int(partners[row]), float(rng.beta(alpha, alpha))
                yield row, partner, share, mix_up(mel, mels[partner], share)
            else:
                yield row, row, 1.0, mel

    def _mel(self, waveform: Tensor, rng: Generator) -> Tensor:
        if "impulse" in self._names and self._responses is not None:
            scene = Scene(waveform.numpy()[None], self._encoder.sample_rate, lambda: None)
            reverberant = reverberate(ReverberationSettings(folder=self._responses, probability=1.0), scene, rng)
            waveform = torch.from_numpy(reverberant[0])
        with torch.inference_mode():
            return self._encoder.audio.inputs(waveform[None].to(next(self._encoder.parameters()).device))

    def _read(self, clip: Clip) -> Tensor:
        """The first 10 s of a clip; one under 1 s is repeated up to it, as the encoder does."""
        rate = self._encoder.sample_rate
        end = clip.start + _LONGEST_SECONDS if clip.end is None else min(clip.end, clip.start + _LONGEST_SECONDS)
        samples = read_mono(clip.wav, rate, clip.start, end)
        shortest = round(_SHORTEST_SECONDS * rate)
        if len(samples) < shortest:
            samples = fit_length(np.tile(samples, -(-shortest // len(samples))), shortest)
        return torch.from_numpy(np.ascontiguousarray(samples))


def mix_up(mel: Tensor, other: Tensor, share: float) -> Tensor:
    """MixUp (Zhang et al. 2018, arXiv:1710.09412) of mel inputs (1, 1, mels, frames).

    ``other`` is repeated or cut to the length of ``mel``.
    """
    frames = mel.shape[-1]
    other = other.repeat(1, 1, 1, -(-frames // other.shape[-1]))[..., :frames]
    return share * mel + (1.0 - share) * other


def mix_style(mel: Tensor, other: Tensor, share: float) -> Tensor:
    """Freq-MixStyle (Kim et al. 2022, arXiv:2206.12513) of mel inputs (1, 1, mels, frames).

    Each band is normalised over time and gets a mean and deviation between its own and those of ``other``; ``share`` is
    that of its own.
    """
    mean, deviation = _statistics(mel)
    other_mean, other_deviation = _statistics(other)
    normal = (mel - mean) / deviation
    return normal * (share * deviation + (1.0 - share) * other_deviation) + share * mean + (1.0 - share) * other_mean


def _statistics(mel: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each band over time, (1, 1, mels, 1)."""
    deviation = mel.std(dim=-1, keepdim=True, unbiased=False).clamp(min=_LEAST_DEVIATION)
    return mel.mean(dim=-1, keepdim=True), deviation
