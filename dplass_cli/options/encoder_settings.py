"""The configurations of encoders that can be trained, and the settings of their training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import Options, setting

# Largest sizes that a file may claim before its tensors are checked: together less than a gigabyte.
_LIMITS = {
    "size": 4096,
    "buckets": 1 << 18,
    "word_size": 256,
    "hidden": 4096,
    "sample_rate": 384_000,
    "n_fft": 1 << 14,
    "hop": 1 << 14,
    "mels": 1024,
    "widths": 1024,
}
_MAX_BLOCKS, _MAX_KINDS = 8, 10_000
_LARGEST_HEAD = 1 << 14


@dataclass(frozen=True)
class TinyEncoderConfig(Options):
    """Sizes of the two towers of a tiny encoder."""

    size: int = setting(128, "Length of an embedding.")
    buckets: int = setting(16384, "Hash buckets of character n-grams.")
    word_size: int = setting(64, "Length of a word's vector.")
    hidden: int = setting(256, "Width of the hidden layer of both towers.")
    sample_rate: int = setting(32000, "Sample rate in Hz.")
    n_fft: int = setting(1024, "Window of the mel spectrogram in samples.")
    hop: int = setting(640, "Hop of the mel spectrogram in samples.")
    mels: int = setting(64, "Bands of the mel spectrogram.")
    widths: tuple[int, ...] = setting((32, 64, 128, 256), "Channels of the convolution blocks.")
    kinds: tuple[str, ...] = setting(
        (),
        "Kinds of sound that sentences are classified into, for towers whose anchors are given; without any, sentences"
        " are embedded directly.",
    )
    sharpness: float = setting(10.0, "Factor of the cosines between sentences and kinds before the softmax.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, limit in _LIMITS.items():
            value = getattr(self, name)
            sizes = value if isinstance(value, tuple) else (value,)
            if not sizes or not all(1 <= size <= limit for size in sizes):
                raise ValueError(f"{name} must be from 1 to {limit}, not {value}")
        if len(self.widths) > _MAX_BLOCKS or len(self.kinds) > _MAX_KINDS or self.hop > self.n_fft:
            raise ValueError(
                f"expected at most {_MAX_BLOCKS} widths and {_MAX_KINDS} kinds, and a hop of at most n_fft"
            )


@dataclass(frozen=True)
class HeadsConfig(Options):
    """Projection heads over a frozen encoder.

    Attributes:
        size: length D of the frozen encoder's embeddings and of the projected ones.
        hidden: width of the hidden layer of both heads.
        encoder: the frozen encoder: ``tiny`` or a file.
        encoder_fingerprint: its fingerprint.
    """

    size: int
    hidden: int
    encoder: str
    encoder_fingerprint: str

    def __post_init__(self) -> None:
        if not (1 <= self.size <= _LARGEST_HEAD and 1 <= self.hidden <= _LARGEST_HEAD):
            raise ValueError(f"sizes of projection heads are from 1 to {_LARGEST_HEAD}")


@dataclass(frozen=True)
class MiniLMConfig(Options):
    """How MiniLM's similarities become probabilities of the kinds of a tiny encoder.

    Attributes:
        encoder_fingerprint: of the tiny encoder.
        sharpness: factor of the similarities before the softmax.
        unknown: similarity above which a sentence is rather of a kind than of none.
        nearest: how many wordings of a kind are averaged, those nearest to the sentence.
    """

    encoder_fingerprint: str
    sharpness: float
    unknown: float
    nearest: int

    def __post_init__(self) -> None:
        if not (0 < self.sharpness <= 1000 and -1 <= self.unknown <= 1 and 1 <= self.nearest <= _MAX_KINDS):
            raise ValueError("sharpness is from 0 to 1000, unknown from -1 to 1, nearest at least 1")


@dataclass(frozen=True)
class ContrastiveSettings(Options):
    """How an encoder learns that captions belong to their clips and to no others."""

    parts: Literal["auto", "towers", "audio", "heads"] = setting(
        "auto",
        "What is trained: towers (a whole tiny encoder), audio (its audio tower alone, so that sentences keep their"
        " embeddings) or heads (projections of a frozen encoder's embeddings).",
        shown="auto, towers of a tiny encoder, else heads",
    )
    head_hidden: int = setting(512, "Width of the hidden layer of heads.", least=1, most=_LARGEST_HEAD)
    captions_per_clip: int = setting(
        1, "Captions of each clip in a batch, drawn at random from those that it has.", least=1
    )
    temperature: float = setting(
        0.07, "Initial temperature of the similarities; it is learned, except with parts=audio.", above=0
    )
    label_smoothing: float = setting(
        0.0, "Share of the target that is spread over all captions, those of other clips too.", least=0, below=1
    )
    hard_negatives: float = setting(
        0.0,
        "Exponent of the weights of negatives; larger values give more weight to similar ones.",
        shown="0: all count alike",
        least=0,
    )
    average: float = setting(
        0.0,
        "Decay per step of a moving average of the weights, which is validated and written in their place; 0.998"
        " averages over about 500 steps.",
        shown="0: none",
        least=0,
        below=1,
    )
    segment_seconds: float = setting(5.0, "Length of the part of a clip that towers are trained on.", above=0)
    augment: bool = setting(
        True,
        "Train towers on clips as other rooms and microphones would give them: with a faint second clip, equalised,"
        " reverberated, band-limited, noisy, masked.",
    )
    validation: Path | None = setting(
        None, "Manifest to validate on.", shown="a share of the clips, which are not trained on"
    )
    validation_share: float = setting(
        0.1, "Share of the clips that are validated on, where no manifest is given.", least=0, below=1
    )
