"""The bundled query encoder: two small towers into one space, so that everything runs offline.

Text: a word is the mean of hashed character n-grams (after Bojanowski et al., "Enriching Word Vectors with Subword
Information", 2017), so every word has a vector, however it is spelled; a learned weight per word pools the words of a
sentence. The sentence is classified into the kinds of sound that the encoder knows, and its embedding is the mean of
the kinds' anchors, weighted by their probabilities. So different wordings of a kind have the same embedding, and a
sentence without a known word is between all kinds.

Audio: a small convolutional network on a log-mel spectrogram, averaged over fixed windows.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.audio.resampling import resample_tensor
from dplass_cli.encoders.vocabulary import vocabulary_note
from dplass_cli.options.encoder_settings import TinyEncoderConfig
from dplass_cli.options.parse import to_mapping
from dplass_cli.weights.checkpoint_files import tensors_sha256

_WORD = re.compile(r"[^\W_]+")
_RMS_FLOOR = 1e-5
_WINDOW_SECONDS = 10.0
_SHORTEST_SECONDS = 1.0


class TextTower(nn.Module):
    """Embeds sentences by hashed subwords."""

    def __init__(self, config: TinyEncoderConfig) -> None:
        super().__init__()
        self.buckets = config.buckets
        self.subwords = nn.EmbeddingBag(config.buckets, config.word_size, mode="mean")
        self.weight = nn.Linear(config.word_size, 1)
        self.project = nn.Sequential(
            nn.Linear(config.word_size, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.size)
        )
        self.sharpness = config.sharpness
        self.anchors: Tensor
        self.register_buffer("anchors", torch.zeros(len(config.kinds), config.size), persistent=bool(config.kinds))

    def forward(self, sentences: Sequence[str]) -> Tensor:
        """Embed N sentences: float32 (N, size), unit norm."""
        if not len(self.anchors):
            return self.points(sentences)
        return F.normalize(self.logits(sentences).softmax(dim=-1) @ self.anchors, dim=-1)

    def logits(self, sentences: Sequence[str]) -> Tensor:
        """Classify N sentences: float32 (N, K); the softmax is the probability of each kind."""
        return self.sharpness * self.points(sentences) @ self.anchors.T

    def points(self, sentences: Sequence[str]) -> Tensor:
        """Embed N sentences before classification: float32 (N, size), unit norm.

        A sentence without a word is treated as one unknown word.
        """
        words = [_WORD.findall(sentence.lower()) or ["?"] for sentence in sentences]
        flat = [self._subwords(word) for sentence in words for word in sentence]
        device = self.subwords.weight.device
        offsets = torch.tensor([0] + [len(subwords) for subwords in flat[:-1]], device=device).cumsum(0)
        indices = torch.tensor([index for subwords in flat for index in subwords], device=device)
        vectors = self.subwords(indices, offsets)
        owner = torch.repeat_interleave(
            torch.arange(len(words), device=device), torch.tensor([len(sentence) for sentence in words], device=device)
        )
        # Words are weighted independently (no softmax over the sentence), so that long sentences keep their key word.
        weights = torch.sigmoid(self.weight(vectors))
        pooled = torch.zeros(len(words), vectors.shape[1], device=device).index_add_(0, owner, vectors * weights)
        total = torch.zeros(len(words), 1, device=device).index_add_(0, owner, weights)
        return F.normalize(self.project(pooled / total), dim=-1)

    def _subwords(self, word: str) -> list[int]:
        padded = f"<{word}>"
        grams = [padded] + [padded[i : i + n] for n in (3, 4, 5) for i in range(len(padded) - n + 1)]
        return [zlib.crc32(gram.encode()) % self.buckets for gram in grams]


class AudioTower(nn.Module):
    """Embeds mono waveforms of equal length."""

    def __init__(self, config: TinyEncoderConfig) -> None:
        from torchaudio.transforms import MelSpectrogram  # here, for the verbs that load no encoder

        super().__init__()
        self.mel = MelSpectrogram(config.sample_rate, config.n_fft, hop_length=config.hop, n_mels=config.mels, f_min=40)
        blocks: list[nn.Module] = []
        for inputs, outputs in zip((1, *config.widths), config.widths, strict=False):
            blocks += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*blocks)
        self.project = nn.Sequential(
            nn.Linear(2 * config.widths[-1], config.hidden),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(config.hidden, config.size),
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embed waveforms, float32 (N, T): float32 (N, size), unit norm. The level of a waveform does not matter."""
        return self.embed(self.inputs(waveforms))

    def inputs(self, waveforms: Tensor) -> Tensor:
        """Compute the compressed mel spectrograms of waveforms, float32 (N, T): (N, 1, mels, frames)."""
        rms = waveforms.square().mean(dim=-1, keepdim=True).sqrt()
        return self.compress(self.mel(waveforms / rms.clamp(min=_RMS_FLOOR)))[:, None]

    @staticmethod
    def compress(mel: Tensor) -> Tensor:
        """The logarithm, with a floor, of the mel spectrogram of a waveform with RMS 1."""
        return torch.log(mel + 1e-3)

    def embed(self, mel: Tensor) -> Tensor:
        """Embed compressed mel spectrograms, float32 (N, 1, mels, frames): (N, size), unit norm."""
        features = self.body(mel)
        pooled = torch.cat((features.mean(dim=(2, 3)), features.mean(dim=2).amax(dim=2)), dim=1)
        return F.normalize(self.project(pooled), dim=-1)


class TinyEncoder(nn.Module):
    """The bundled encoder; implements :class:`~dplass_cli.encoders.base.QueryEncoder`."""

    name = "tiny"
    embeds_audio = True
    windows = "10 s, averaged by length, last under 1 s left out, shorter repeated to 1 s"

    def __init__(self, config: TinyEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or TinyEncoderConfig()
        self.size = self.config.size
        self.sample_rate = self.config.sample_rate
        self.text = TextTower(self.config)
        self.audio = AudioTower(self.config)
        self._texts: dict[str, Tensor] = {}

    def __repr__(self) -> str:
        return f"TinyEncoder(size={self.size}, {self.sample_rate} Hz, {len(self.kinds)} kinds of sound)"

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.config.kinds

    @cached_property
    def fingerprint(self) -> str:
        return tensors_sha256(self.state_dict(), to_mapping(self.config))

    def train(self, mode: bool = True) -> TinyEncoder:
        """Switch between training and evaluation, and forget what was computed with earlier weights."""
        self._texts.clear()
        self.__dict__.pop("fingerprint", None)
        return super().train(mode)

    @torch.inference_mode()
    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`. Distinct sentences are embedded once."""
        for sentence in sentences:
            if sentence not in self._texts:
                self._texts[sentence] = self.text([sentence])[0].cpu()
        return torch.stack([self._texts[sentence] for sentence in sentences]).clone()

    @torch.inference_mode()
    def kinds_of(self, sentence: str) -> dict[str, float]:
        """{kind of sound: its probability}, the most probable first; all about equal if no word is known."""
        probabilities = self.text.logits([sentence])[0].softmax(dim=-1).tolist()
        named = zip(self.config.kinds, probabilities, strict=True)
        return dict(sorted(named, key=lambda kind: -kind[1]))

    def out_of_vocabulary(self, sentence: str) -> str | None:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`; None if the encoder has no list of kinds."""
        return vocabulary_note(sentence, self.name, self.kinds_of) if self.config.kinds else None

    @torch.inference_mode()
    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`.

        Audio is split into windows of 10 s, whose embeddings are averaged, weighted by length. A last window under 1 s
        is left out unless it is the only one; shorter audio is repeated up to 1 s.
        """
        # One waveform at a time: the order of summation depends on the batch size, and embeddings must not.
        embeddings = [self._embed_waveform(waveform, sample_rate) for waveform in waveforms]
        return F.normalize(torch.stack(embeddings), dim=-1).cpu()

    def _embed_waveform(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """The weighted sum of the embeddings of a waveform's windows: float32 (size,)."""
        waveform = resample_tensor(waveform.to(next(self.parameters()).device), sample_rate, self.sample_rate)
        shortest = round(_SHORTEST_SECONDS * self.sample_rate)
        if len(waveform) < shortest:
            waveform = waveform.repeat(-(-shortest // len(waveform)))[:shortest]
        split = torch.split(waveform, round(_WINDOW_SECONDS * self.sample_rate))
        windows = [window for window in split if len(window) >= shortest]
        return torch.stack([self.audio(window[None])[0] * len(window) for window in windows]).sum(dim=0)
