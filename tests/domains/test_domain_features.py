"""Caption features: each file range once, means in the right place, the right file in an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.audio.files import read_mono, write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import SAMPLE_RATE, caption_features, rows_sha256, sorted_rows, text_features
from dplass_cli.errors import InputError


class LoudnessEncoder:
    """Embeds (mean, spread) of a waveform; notes the shapes that it was given."""

    name = "loudness"
    fingerprint = "f"
    size = 2

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def embed_text(self, sentences: list[str]) -> Tensor:
        values = torch.tensor([[1.0, float(len(sentence))] for sentence in sentences])
        values[[sentence == "bad" for sentence in sentences]] = float("nan")
        return torch.nn.functional.normalize(values, dim=-1)

    def embed_audio(self, waveforms: Tensor, sample_rate: int) -> Tensor:
        assert sample_rate == SAMPLE_RATE
        self.shapes.append(tuple(waveforms.shape))
        values = torch.stack((waveforms.mean(dim=-1), waveforms.std(dim=-1)), dim=-1)
        return values / values.norm(dim=-1, keepdim=True)  # silence gives NaN


def _wav(folder: Path, name: str, seconds: float, seed: int) -> Path:
    noise = np.random.default_rng(seed).normal(0.1 * seed, 0.1, (1, round(seconds * SAMPLE_RATE)))
    write_audio(folder / name, noise.astype(np.float32), SAMPLE_RATE)
    return folder / name


def test_means_over_the_clips_of_each_caption(tmp_path: Path) -> None:
    one, two = _wav(tmp_path, "1.wav", 0.2, 1), _wav(tmp_path, "2.wav", 0.2, 2)
    rows = [Row(two, "b", id="2"), Row(one, "b", id="1"), Row(one, "a", id="1")]
    encoder = LoudnessEncoder()
    features = caption_features(rows, encoder)
    assert features.captions == ("a", "b")
    assert features.clips.tolist() == [1, 2]
    waves = [torch.from_numpy(read_mono(path, SAMPLE_RATE)) for path in (one, two)]
    singles = [encoder.embed_audio(wave[None], SAMPLE_RATE)[0] for wave in waves]
    np.testing.assert_allclose(features.audio[0], singles[0].double().numpy(), atol=1e-7)
    mean = (singles[0] + singles[1]).double()
    np.testing.assert_allclose(features.audio[1], (mean / mean.norm()).numpy(), atol=1e-7)
    assert features.of("text") is features.text


def test_each_range_is_embedded_once_among_clips_of_its_length(tmp_path: Path) -> None:
    long = _wav(tmp_path, "long.wav", 1.0, 1)
    short = _wav(tmp_path, "short.wav", 0.25, 2)
    rows = [Row(long, c, id="l", start=s, end=s + 0.5) for c in ("a", "b") for s in (0.0, 0.5)]
    rows += [Row(short, "a", id="s")] * 2
    encoder = LoudnessEncoder()
    calls: list[tuple[int, int]] = []
    features = caption_features(rows, encoder, lambda done, total, what: calls.append((done, total)))
    assert sorted(encoder.shapes) == [(1, 8000), (2, 16000)]
    assert features.clips.tolist() == [4, 2]
    assert calls == [(0, 3), (3, 3)]


def test_errors_name_the_file_or_caption(tmp_path: Path) -> None:
    good = _wav(tmp_path, "good.wav", 0.1, 1)
    write_audio(tmp_path / "silent.wav", np.zeros((1, 3200), np.float32), SAMPLE_RATE)
    with pytest.raises(InputError, match=r"silent\.wav.*not finite"):
        caption_features([Row(good, "a"), Row(tmp_path / "silent.wav", "a")], LoudnessEncoder())
    with pytest.raises(InputError, match=r"absent\.wav"):
        caption_features([Row(good, "a"), Row(tmp_path / "absent.wav", "a")], LoudnessEncoder())
    with pytest.raises(InputError, match="'bad'"):
        text_features(["good", "bad"], LoudnessEncoder())


def test_rows_are_hashed_by_what_they_hold_and_not_by_place_or_order(tmp_path: Path) -> None:
    rows = [Row(Path("x/1.wav"), "a", id="1"), Row(Path("x/2.wav"), "b", id="2", start=1.0, end=2.0)]
    moved = [Row(Path("/y") / row.wav.name, row.caption, id=row.id, start=row.start, end=row.end) for row in rows]
    assert rows_sha256(rows) == rows_sha256(moved[::-1])
    assert rows_sha256(rows) != rows_sha256([rows[0], Row(rows[1].wav, "b", id="2", start=1.0, end=3.0)])
    assert sorted_rows(rows) == sorted_rows(rows[::-1])
    assert all(row.wav.is_absolute() for row in sorted_rows(rows))
