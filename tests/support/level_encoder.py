"""An encoder without weights, for tests of what compares recordings with sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class LevelEncoder:
    """Knows two kinds: the cosine of audio with "loud" is its peak, and that with "quiet" is 1 minus its peak.

    Attributes:
        kinds: the kinds that it lists.
        excerpts: seconds of each waveform of the last batch that it has embedded.
    """

    name = "level"
    fingerprint = "level"
    size = 2
    sample_rate = 1000
    windows = ""
    embeds_audio = True

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.excerpts: list[float] = []

    def embed_text(self, sentences: Sequence[str]) -> torch.Tensor:
        return torch.eye(2)[[("loud", "quiet").index(sentence) for sentence in sentences]]

    def embed_audio(self, waveforms: Sequence[torch.Tensor], sample_rate: int) -> torch.Tensor:
        self.excerpts = [len(waveform) / sample_rate for waveform in waveforms]
        loud = torch.tensor([float(waveform.abs().max()) for waveform in waveforms])
        return torch.stack([loud, 1.0 - loud], dim=1)

    def out_of_vocabulary(self, sentence: str) -> str | None:
        return None if sentence in ("loud", "quiet") else f"the level encoder does not know what {sentence!r} is"
