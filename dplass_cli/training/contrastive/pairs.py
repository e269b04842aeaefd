"""What contrastive training trains: one or both towers of a tiny encoder, or two heads over a frozen encoder."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dplass_cli.encoders import ProjectedEncoder, QueryEncoder, TinyEncoder, save_heads, save_tiny_encoder
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.models import in_fast_order
from dplass_cli.training.contrastive.info_nce import cross_entropy, info_nce
from dplass_cli.training.moving_average import MovingAverage

_LARGEST_SCALE = 100.0  # as in CLIP: the loss of a well-trained batch would raise it without bound

Vectors = npt.NDArray[np.float32]


class TrainedPair(nn.Module):
    """An encoder of sounds and one of sentences that are trained together, with the temperature between them.

    Args:
        encoder: the query encoder that they make up.
        captions: all captions of the training.
        temperature: initial temperature of the similarities.

    Attributes:
        average: of the weights; None: none is kept.
    """

    def __init__(self, encoder: QueryEncoder, captions: Sequence[str], temperature: float) -> None:
        super().__init__()
        self.encoder, self.captions = encoder, captions
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.average: MovingAverage | None = None

    def keep_average(self, decay: float) -> None:
        """Begin a moving average of the weights, of which every step is an update."""
        self.average = MovingAverage(self, decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The encoder has the averaged weights inside the block, if there is an average."""
        if self.average is None:
            yield
            return
        with self.average.applied():
            yield

    @property
    def scale(self) -> Tensor:
        """Factor of the cosines."""
        return self.log_scale.exp().clamp(max=_LARGEST_SCALE)

    @abstractmethod
    def audio(self, inputs: Tensor) -> Tensor:
        """Embed the inputs of B clips: (B, D), unit norm."""

    @abstractmethod
    def text(self, captions: Sequence[int]) -> Tensor:
        """Embed M captions, places in the list of all: (M, D), unit norm."""

    def loss(
        self, audio: Tensor, captions: Sequence[int], positive: Tensor, hard_negatives: float, label_smoothing: float
    ) -> Tensor:
        """The loss of embedded clips, float32 (B, D), and the captions of a batch.

        Args:
            audio: what :meth:`audio` returned.
            captions: M places in the list of all.
            positive: bool (B, M), whether a caption describes a clip.
            hard_negatives: as in :func:`info_nce`.
            label_smoothing: as in :func:`info_nce`.
        """
        return info_nce(audio, self.text(captions), positive, self.scale, hard_negatives, label_smoothing)

    @abstractmethod
    def embed(self, clips: Sequence[Clip], failed: dict[Clip, str]) -> dict[Clip, Vectors]:
        """Embed whole clips as the encoder does, {clip: (D,)}; ``failed`` receives those that are unreadable."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the encoder to a file."""


class TowerPair(TrainedPair):
    """The towers of a tiny encoder. Inputs are compressed mel spectrograms (B, mels, frames)."""

    encoder: TinyEncoder

    def __init__(self, encoder: TinyEncoder, captions: Sequence[str], temperature: float) -> None:
        in_fast_order(encoder.audio)
        # A loaded encoder is in evaluation mode, and Lightning keeps the mode of each part.
        super().__init__(encoder.requires_grad_(True).train(), captions, temperature)

    def audio(self, inputs: Tensor) -> Tensor:
        return self.encoder.audio.embed(inputs[:, None])

    def text(self, captions: Sequence[int]) -> Tensor:
        embeddings: Tensor = self.encoder.text([self.captions[each] for each in captions])
        return embeddings

    def embed(self, clips: Sequence[Clip], failed: dict[Clip, str]) -> dict[Clip, Vectors]:
        return dict(embed_clips(clips, self.encoder, failed=failed))

    def save(self, path: Path) -> None:
        save_tiny_encoder(path, self.encoder, torch.float32)


class AudioTowerPair(TowerPair):
    """The audio tower of a tiny encoder; its text tower stays as it is, and so does the temperature.

    Captions have fixed embeddings, so a clip is compared with all captions and not only those of its batch.
    """

    _texts: Tensor

    def __init__(self, encoder: TinyEncoder, captions: Sequence[str], temperature: float) -> None:
        super().__init__(encoder, captions, temperature)
        encoder.text.requires_grad_(False)
        self.log_scale.requires_grad_(False)
        self.register_buffer("_texts", encoder.embed_text(captions).clone(), persistent=False)

    def text(self, captions: Sequence[int]) -> Tensor:
        return self._texts[list(captions)]

    def loss(
        self, audio: Tensor, captions: Sequence[int], positive: Tensor, hard_negatives: float, label_smoothing: float
    ) -> Tensor:
        described = positive.new_zeros(len(audio), len(self._texts))
        described[:, list(captions)] = positive
        return cross_entropy(audio @ self._texts.T, described, self.scale, hard_negatives, label_smoothing)


class HeadPair(TrainedPair):
    """The heads over a frozen encoder. Inputs are its embeddings (B, D).

    Args:
        encoder: the frozen encoder with its heads.
        captions: all captions of the training.
        temperature: initial temperature of the similarities.
        vectors: {clip: its embedding by the frozen encoder, (D,)}.
        failed: {clip that has none: reason}.
    """

    encoder: ProjectedEncoder

    def __init__(
        self,
        encoder: ProjectedEncoder,
        captions: Sequence[str],
        temperature: float,
        vectors: Mapping[Clip, Vectors],
        failed: Mapping[Clip, str],
    ) -> None:
        super().__init__(encoder, captions, temperature)
        self.heads = encoder.heads.requires_grad_(True)
        self._vectors, self._failed = vectors, failed
        self._texts: Tensor
        self.register_buffer("_texts", encoder.frozen.embed_text(captions).clone(), persistent=False)

    def audio(self, inputs: Tensor) -> Tensor:
        embeddings: Tensor = self.heads.audio(inputs)
        return embeddings

    def text(self, captions: Sequence[int]) -> Tensor:
        embeddings: Tensor = self.heads.text(self._texts[list(captions)])
        return embeddings

    @torch.no_grad()
    def embed(self, clips: Sequence[Clip], failed: dict[Clip, str]) -> dict[Clip, Vectors]:
        failed |= {clip: self._failed[clip] for clip in clips if clip in self._failed}
        known = [clip for clip in clips if clip not in failed]
        device = self.log_scale.device
        return {
            clip: self.heads.audio(torch.from_numpy(self._vectors[clip])[None].to(device))[0].cpu().numpy()
            for clip in known
        }

    def save(self, path: Path) -> None:
        save_heads(path, self.heads)
