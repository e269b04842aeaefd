"""Training samples of encoders: a clip and some of its captions. A sample is a pure function of (seed, number)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dplass_cli.audio.reading import Audio, audio_info, fit_length, read_mono
from dplass_cli.data.manifest import Row
from dplass_cli.data.samples import Unreadable, read_segment
from dplass_cli.data.shard_order import ShardOrder
from dplass_cli.devices import device_memory
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders.clips import Clip
from dplass_cli.encoders.tiny import AudioTower
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.encoder_settings import TinyEncoderConfig
from dplass_cli.training.contrastive.spectrogram_augmentation import (
    INTERFERENCE_DB,
    MelSpectrogramEnergy,
    add,
    at_unit_level,
    augmented,
    loudest_crop,
    mel_energy,
)

_SHORT_SECONDS = 10.0  # clips up to this are transformed as a whole
_KEPT_SHARE = 8  # of them, up to an eighth of the memory, which the processes that read share
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaptionedClips:
    """Clips and their captions.

    Attributes:
        captions: the distinct captions.
        of: {clip: its captions, as places in ``captions``}.
        weights: how often training draws each clip, relative to other clips.
    """

    captions: tuple[str, ...]
    of: dict[Clip, tuple[int, ...]]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.of)


def captioned_clips(rows: Iterable[Row]) -> CaptionedClips:
    """Gather the captions of each clip of a manifest; a clip with several captions has a row for each.

    Its weight is the largest of its rows.
    """
    places: dict[str, int] = {}
    clips: dict[Clip, dict[int, None]] = {}
    weights: dict[Clip, float] = {}
    for row in rows:
        place, clip = places.setdefault(row.caption, len(places)), clip_of(row)
        clips.setdefault(clip, {})[place] = None
        weights[clip] = max(row.weight, weights.get(clip, 0.0))
    return CaptionedClips(tuple(places), {clip: tuple(own) for clip, own in clips.items()}, tuple(weights.values()))


class ClipInputs(Protocol):
    """Makes the input of what is trained from a clip."""

    def __call__(self, clip: Clip, others: Sequence[Clip], rng: np.random.Generator) -> Tensor:
        """The input of ``clip``, which may be mixed with one of the ``others``; InputError if it is unreadable."""
        ...


class MelCrops:
    """Random parts of clips as mel spectrograms, float32 (mels, frames): the input of tiny audio towers.

    Short clips are transformed once and kept, up to an eighth of the machine's memory: otherwise half of the time of a
    training on a CPU would go into reading and transforming.

    Args:
        config: of the audio tower.
        settings: of the audio.
        augment: whether crops are mixed with others and otherwise changed at random.
        processes: that read and keep clips, each for itself.
    """

    def __init__(self, config: TinyEncoderConfig, settings: DataSettings, augment: bool, processes: int = 1) -> None:
        self.config, self.settings, self.augment = config, settings, augment
        self._tower = AudioTower(config)  # for its transform, which has no weights
        self._kept: dict[Clip, MelSpectrogramEnergy] = {}
        self._room = device_memory(torch.device("cpu")) // _KEPT_SHARE // processes

    def __call__(self, clip: Clip, others: Sequence[Clip], rng: np.random.Generator) -> Tensor:
        """See :class:`ClipInputs`."""
        scene = self._crop(clip, rng)
        if not self.augment:
            return at_unit_level(scene)
        other = self._crop(others[int(rng.integers(len(others)))], rng)
        scene = add(scene, other, rng.uniform(*INTERFERENCE_DB))
        return augmented(scene, rng, self.config, torch.Generator().manual_seed(int(rng.integers(2**62))))

    def _crop(self, clip: Clip, rng: np.random.Generator) -> MelSpectrogramEnergy:
        settings = self.settings
        if clip in self._kept or self._seconds(clip) <= _SHORT_SECONDS:
            return loudest_crop(self._whole(clip), settings.segment_samples // self.config.hop, rng)
        audio, _ = read_segment(clip.wav, clip.start, clip.end, settings, rng)
        return self._transformed(audio)

    @staticmethod
    def _seconds(clip: Clip) -> float:
        return (audio_info(clip.wav).seconds if clip.end is None else clip.end) - clip.start

    def _whole(self, clip: Clip) -> MelSpectrogramEnergy:
        """A short clip, padded to the length of a segment."""
        if clip in self._kept:
            return self._kept[clip]
        audio = read_mono(clip.wav, self.settings.sampling_rate, clip.start, clip.end)
        sound = self._transformed(fit_length(audio, max(len(audio), self.settings.segment_samples)))
        size = sum(tensor.nbytes for tensor in sound)
        if size <= self._room:
            self._kept[clip] = sound
            self._room -= size
        return sound

    def _transformed(self, audio: Audio) -> MelSpectrogramEnergy:
        return mel_energy(self._tower, torch.from_numpy(audio), self.config.hop)


class FrozenEmbeddings:
    """Embeddings of clips by a frozen encoder, float32 (D,): the input of projection heads."""

    def __init__(self, vectors: Mapping[Clip, npt.NDArray[np.float32]], failed: Mapping[Clip, str]) -> None:
        self.vectors, self.failed = vectors, failed

    def __call__(self, clip: Clip, others: Sequence[Clip], rng: np.random.Generator) -> Tensor:
        """See :class:`ClipInputs`."""
        if clip in self.failed:
            raise InputError(self.failed[clip])
        return torch.from_numpy(self.vectors[clip])


class ClipBatch(NamedTuple):
    """Clips with captions.

    Attributes:
        audio: float32 (B, …), the inputs of the clips.
        captions: M distinct captions, as places in the list of all.
        positive: bool (B, M), whether a caption describes a clip.
        number: int64 (B,), sample numbers.
        unreadable: files that were skipped.
    """

    audio: Tensor
    captions: tuple[int, ...]
    positive: Tensor
    number: Tensor
    unreadable: tuple[Unreadable, ...]


class ClipSample(NamedTuple):
    """One clip of a :class:`ClipBatch`.

    Attributes:
        audio: float32, its input.
        drawn: the captions that are used.
        own: all captions that describe it.
        number: of the sample.
        unreadable: files that were skipped.
    """

    audio: Tensor
    drawn: tuple[int, ...]
    own: frozenset[int]
    number: int
    unreadable: tuple[Unreadable, ...]


class ClipSamples(Dataset[ClipSample]):
    """Clips, numbered across epochs: number = epoch · len + index.

    The order of an epoch, and what weights of clips change in it, is that of training mixtures
    (:class:`~dplass_cli.data.shard_order.ShardOrder`). A clip that cannot be read is reported with the sample; the next
    one takes its place.

    Args:
        clips: clips and their captions.
        inputs: makes the inputs.
        captions_per_clip: captions that are drawn of each clip; fewer where it has fewer.
        settings: of the audio; its ``max_bad_files`` is observed by the training.
        seed: determines, with the number, everything random in a sample.
    """

    def __init__(
        self, clips: CaptionedClips, inputs: ClipInputs, captions_per_clip: int, settings: DataSettings, seed: int
    ) -> None:
        self.settings, self.seed = settings, seed
        self._clips, self._captions = list(clips.of), clips
        self._inputs, self._count = inputs, captions_per_clip
        self._shards = ShardOrder(
            [clip.wav for clip in self._clips], clips.weights, settings.shard_streams, settings.shards_together
        )
        self._order: tuple[int, npt.NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, number: int) -> ClipSample:
        """Make sample ``number``.

        Raises:
            RunError: no clip can be read.
        """
        order, index = self._epoch(number)
        rng = np.random.default_rng((self.seed, number))
        unreadable: list[Unreadable] = []
        for step in range(len(self)):
            clip = self._clips[order[(index + step) % len(self)]]
            try:
                audio = self._inputs(clip, self._clips, rng)
            except InputError as error:
                unreadable.append((str(clip.wav), str(error)))
                _log.warning("skipped: %s", error)
                continue
            own = self._captions.of[clip]
            drawn = rng.permutation(len(own))[: self._count].tolist()
            return ClipSample(audio, tuple(own[each] for each in drawn), frozenset(own), number, tuple(unreadable))
        raise RunError(f"none of the {len(self)} clips can be read: {unreadable[0][1]}")

    def describe(self, number: int) -> dict[str, Any]:
        """The clip of sample ``number`` and its captions, for the log."""
        order, index = self._epoch(number)
        clip = self._clips[order[index]]
        captions = [self._captions.captions[each] for each in self._captions.of[clip]]
        return {"wav": str(clip.wav), "start": clip.start, "end": clip.end, "captions": captions}

    def _epoch(self, number: int) -> tuple[npt.NDArray[np.int64], int]:
        """The clips of a sample's epoch in their order, and the sample's place in it."""
        epoch, index = divmod(number, len(self))
        if self._order[0] != epoch:
            self._order = epoch, self._shards.epoch(np.random.default_rng((self.seed, epoch, 0))).order
        return self._order[1], index


def collate_clips(samples: Sequence[ClipSample]) -> ClipBatch:
    """Make a batch; a caption that several clips have drawn is in it once."""
    captions = tuple(dict.fromkeys(caption for sample in samples for caption in sample.drawn))
    positive = torch.tensor([[caption in sample.own for caption in captions] for sample in samples])
    return ClipBatch(
        torch.stack([sample.audio for sample in samples]),
        captions,
        positive,
        torch.tensor([sample.number for sample in samples]),
        tuple(entry for sample in samples for entry in sample.unreadable),
    )


class ValidationClips(Dataset[int]):
    """The clips that an encoder is validated on, and their captions; items are their places in ``clips``."""

    def __init__(self, clips: CaptionedClips, limit: int | None = None) -> None:
        self.clips = list(clips.of)[:limit]
        self.captions = {clip: [clips.captions[each] for each in clips.of[clip]] for clip in self.clips}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> int:
        if index >= len(self):
            raise IndexError(index)
        return index
