"""Embedding clips: order, cache, and clips that fail."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, clip_key, embed_clips
from dplass_cli.errors import InputError


class LevelEncoder:
    """Embeds a sound as (its first sample, its length), and counts what it embeds."""

    name, size, sample_rate, windows, fingerprint = "level", 2, 16000, "whole", "0" * 64

    def __init__(self) -> None:
        self.embedded = 0

    def embed_audio(self, waveforms: Sequence[Tensor], sample_rate: int) -> Tensor:
        self.embedded += len(waveforms)
        return torch.tensor([[float(waveform[0]), float(len(waveform))] for waveform in waveforms])


@pytest.fixture
def encoder() -> LevelEncoder:
    return LevelEncoder()


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Five files whose first sample is their number over ten."""
    for number in range(5):
        write_audio(tmp_path / f"{number}.wav", np.full((1, 1600), number / 10, np.float32), 16000)
    return [Clip(tmp_path / f"{number}.wav", 0.0, None) for number in range(5)]


def test_clips_come_in_their_order(encoder: LevelEncoder, clips: list[Clip]) -> None:
    embedded = list(embed_clips(reversed(clips), encoder))  # type: ignore[arg-type]
    assert [clip for clip, _ in embedded] == clips[::-1]
    np.testing.assert_allclose([vector[0] for _, vector in embedded], [0.4, 0.3, 0.2, 0.1, 0.0], atol=1e-6)


def test_only_the_range_of_a_clip_is_embedded(encoder: LevelEncoder, clips: list[Clip]) -> None:
    ((_, vector),) = embed_clips([Clip(clips[0].wav, 0.05, 0.09)], encoder)  # type: ignore[arg-type]
    assert vector[1] == 640


def test_cached_clips_are_not_embedded_again(encoder: LevelEncoder, clips: list[Clip], tmp_path: Path) -> None:
    first = dict(embed_clips(clips[:3], encoder, EmbeddingCache(tmp_path / "cache", encoder)))  # type: ignore[arg-type]
    again = dict(embed_clips(clips, encoder, EmbeddingCache(tmp_path / "cache", encoder)))  # type: ignore[arg-type]
    assert encoder.embedded == 5
    for clip, vector in first.items():
        np.testing.assert_array_equal(again[clip], vector)


def test_the_first_clip_that_cannot_be_read_is_an_error(encoder: LevelEncoder, clips: list[Clip]) -> None:
    clips[3].wav.unlink()
    with pytest.raises(InputError, match=r"3\.wav: no such audio file"):
        list(embed_clips(clips, encoder))  # type: ignore[arg-type]


def test_failed_clips_are_collected_and_the_others_embedded(encoder: LevelEncoder, clips: list[Clip]) -> None:
    clips[3].wav.write_text("no audio")
    failed: dict[Clip, str] = {}
    embedded = dict(embed_clips(clips, encoder, failed=failed))  # type: ignore[arg-type]
    assert list(embedded) == [clip for clip in clips if clip is not clips[3]]
    assert list(failed) == [clips[3]]
    assert "not a readable audio file" in failed[clips[3]]


def test_an_embedding_that_is_not_finite_fails(clips: list[Clip]) -> None:
    class BrokenEncoder(LevelEncoder):
        def embed_audio(self, waveforms: Sequence[Tensor], sample_rate: int) -> Tensor:
            return torch.full((len(waveforms), 2), float("nan"))

    with pytest.raises(InputError, match=r"0\.wav: its audio embedding is not finite"):
        list(embed_clips(clips, BrokenEncoder()))  # type: ignore[arg-type]


def test_progress_ends_with_all_clips(encoder: LevelEncoder, clips: list[Clip]) -> None:
    calls: list[tuple[int, int]] = []
    list(embed_clips(clips, encoder, progress=lambda done, total, what: calls.append((done, total))))  # type: ignore[arg-type]
    assert calls[-1] == (5, 5)


def test_a_key_by_path_changes_with_the_file_and_its_range(clips: list[Clip]) -> None:
    clip = clips[0]
    before = clip_key(clip, "path")
    assert clip_key(clip, "path") == before
    assert clip_key(Clip(clip.wav, 0.0, 0.05), "path") != before
    os.utime(clip.wav, ns=(0, 0))
    assert clip_key(clip, "path") != before


def test_a_key_by_content_is_the_same_wherever_the_file_is(clips: list[Clip], tmp_path: Path) -> None:
    copy = tmp_path / "copy.wav"
    copy.write_bytes(clips[1].wav.read_bytes())
    assert clip_key(Clip(copy, 0.0, None), "content") == clip_key(clips[1], "content")
    assert clip_key(clips[1], "content") != clip_key(clips[2], "content")


def test_a_missing_file_has_no_key(tmp_path: Path) -> None:
    assert clip_key(Clip(tmp_path / "gone.wav", 0.0, None), "path") is None
