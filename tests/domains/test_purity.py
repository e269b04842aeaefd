"""Purity: the share of a clip's sounding windows that are similar to its captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.domains.purity import PurityScorer
from dplass_cli.encoders import SourceNamesEncoder
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import PuritySettings
from dplass_cli.storage import no_progress

RATE = 8000
AXES = {"low": 0, "high": 1}


class PitchEncoder:
    """Embeds a sound by whether it is high or low, and a caption by the word that says so."""

    name = "pitch"
    fingerprint = "0" * 64
    size = 2
    sample_rate = RATE
    windows = "whole"
    embeds_audio = True
    kinds = ()

    def __init__(self) -> None:
        self.embedded = 0

    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        return torch.eye(2)[[AXES[sentence] for sentence in sentences]]

    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        self.embedded += len(waveforms)
        crossings = [int((wave[1:] * wave[:-1] < 0).float().mean() > 0.1) for wave in waveforms]
        return torch.eye(2)[crossings]

    def out_of_vocabulary(self, sentence: str) -> str | None:
        return None


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.fixture
def clip(tmp_path: Path) -> SourceRange:
    """Two seconds low, one second high, one second silent."""
    path = tmp_path / "clip.wav"
    write_audio(path, np.concatenate((tone(200, 2), tone(2000, 1), np.zeros(RATE, np.float32)))[None], RATE)
    return SourceRange(str(path))


def score(clips: list[SourceRange], *captions: str, encoder: PitchEncoder | None = None, **settings: object):
    chosen = PuritySettings(**{"window_seconds": 1.0, **settings})  # type: ignore[arg-type]
    scorer = PurityScorer(encoder or PitchEncoder(), chosen)
    return scorer(clips, [captions] * len(clips), no_progress)


def test_purity_is_the_share_of_sounding_windows_in_which_the_caption_holds(clip: SourceRange) -> None:
    assert score([clip], "low") == [0.6667]
    assert score([clip], "high") == [0.3333]


def test_several_captions_are_averaged(clip: SourceRange) -> None:
    assert score([clip], "low", "high") == [0.5]


def test_only_the_range_of_the_clip_is_scored(clip: SourceRange) -> None:
    assert score([SourceRange(clip.path, 1.0, 3.0)], "high") == [0.5]


def test_a_clip_shorter_than_a_window_is_one_window(clip: SourceRange) -> None:
    assert score([SourceRange(clip.path, 0.0, 0.4)], "low") == [1.0]


def test_silence_has_no_purity_and_a_missing_file_no_score(clip: SourceRange) -> None:
    assert score([SourceRange(clip.path, 3.0, 4.0), SourceRange("gone.wav")], "low") == [0.0, None]


def test_cached_windows_are_not_embedded_again(clip: SourceRange, tmp_path: Path) -> None:
    first, second = PitchEncoder(), PitchEncoder()
    results = [score([clip], "low", encoder=encoder, cache=tmp_path / "cache") for encoder in (first, second)]
    assert results[0] == results[1] == [0.6667]
    assert (first.embedded, second.embedded) == (3, 0)


def test_an_encoder_without_sounds_is_refused() -> None:
    with pytest.raises(InputError, match=r"--min-purity: the encoder .* embeds no sounds"):
        PurityScorer(SourceNamesEncoder(("vocals",)), PuritySettings())
