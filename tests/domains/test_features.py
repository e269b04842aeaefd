"""Caption features: each file range once, means in the right place, the right file in an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import caption_features, rows_sha256, sorted_rows, text_features
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.errors import InputError

SAMPLE_RATE = 32000


class LoudnessEncoder:
    """Embeds (mean, spread) of a waveform; notes the lengths that it was given."""

    name = "loudness"
    fingerprint = "f"
    size = 2
    sample_rate = SAMPLE_RATE
    windows = "whole"
    embeds_audio = True

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def embed_text(self, sentences: list[str]) -> Tensor:
        values = torch.tensor([[1.0, float(len(sentence))] for sentence in sentences])
        values[[sentence == "bad" for sentence in sentences]] = float("nan")
        return torch.nn.functional.normalize(values, dim=-1)

    def embed_audio(self, waveforms: Sequence[Tensor], sample_rate: int) -> Tensor:
        assert sample_rate == SAMPLE_RATE
        self.lengths += [len(waveform) for waveform in waveforms]
        values = torch.stack([torch.stack((waveform.mean(), waveform.std())) for waveform in waveforms])
        return values / values.norm(dim=-1, keepdim=True)  # silence gives NaN


def _wav(folder: Path, name: str, seconds: float, seed: int) -> Path:
    noise = np.random.default_rng(seed).normal(0.1 * seed, 0.1, (1, round(seconds * SAMPLE_RATE)))
    write_audio(folder / name, noise.astype(np.float32), SAMPLE_RATE)
    return folder / name


def test_means_over_the_clips_of_each_caption(tmp_path: Path) -> None:
    one, two = _wav(tmp_path, "1.wav", 0.2, 1), _wav(tmp_path, "2.wav", 0.2, 2)
    rows = [Row(two, "b", id="2"), Row(one, "b", id="1"), Row(one, "a", id="1")]
    encoder = LoudnessEncoder()
    features = caption_features(sorted_rows(rows), encoder)
    assert features.captions == ("a", "b")
    assert features.clips.tolist() == [1, 2]
    waves = [torch.from_numpy(read_mono(path, SAMPLE_RATE)) for path in (one, two)]
    singles = [encoder.embed_audio(wave[None], SAMPLE_RATE)[0] for wave in waves]
    np.testing.assert_allclose(features.audio[0], singles[0].double().numpy(), atol=1e-7)
    mean = (singles[0] + singles[1]).double()
    np.testing.assert_allclose(features.audio[1], (mean / mean.norm()).numpy(), atol=1e-7)
    assert features.of("text") is features.text


def test_each_range_is_embedded_once(tmp_path: Path) -> None:
    long = _wav(tmp_path, "long.wav", 1.0, 1)
    short = _wav(tmp_path, "short.wav", 0.25, 2)
    rows = [Row(long, c, id="l", start=s, end=s + 0.5) for c in ("a", "b") for s in (0.0, 0.5)]
    rows += [Row(short, "a", id="s")] * 2
    encoder = LoudnessEncoder()
    calls: list[tuple[int, int]] = []
    features = caption_features(sorted_rows(rows), encoder, lambda done, total, what: calls.append((done, total)))
    assert sorted(encoder.lengths) == [8000, 16000, 16000]
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


def test_the_hash_of_rows_depends_on_their_content_not_on_folder_or_order(tmp_path: Path) -> None:
    rows = [Row(Path("x/1.wav"), "a", id="1"), Row(Path("x/2.wav"), "b", id="2", start=1.0, end=2.0)]
    moved = [Row(Path("/y") / row.wav.name, row.caption, id=row.id, start=row.start, end=row.end) for row in rows]
    assert rows_sha256(rows) == rows_sha256(moved[::-1])
    assert rows_sha256(rows) != rows_sha256([rows[0], Row(rows[1].wav, "b", id="2", start=1.0, end=3.0)])
    assert sorted_rows(rows) == sorted_rows(rows[::-1])


def test_cached_embeddings_give_the_same_features(tmp_path: Path) -> None:
    files = [_wav(tmp_path, f"{n}.wav", 0.2, n) for n in range(1, 5)]
    rows = [Row(path, caption, id=path.stem) for path in files for caption in ("a", "b")]
    first, second = LoudnessEncoder(), LoudnessEncoder()
    plain = caption_features(sorted_rows(rows), first, cache=EmbeddingCache(tmp_path / "cache", first))
    cached = caption_features(sorted_rows(rows), second, cache=EmbeddingCache(tmp_path / "cache", second))
    assert (len(first.lengths), len(second.lengths)) == (4, 0)
    np.testing.assert_array_equal(plain.audio, cached.audio)
    _wav(tmp_path, "2.wav", 0.3, 9)  # another file by that name is embedded again
    caption_features(sorted_rows(rows), second, cache=EmbeddingCache(tmp_path / "cache", second))
    assert second.lengths == [9600]


def test_both_features_side_by_side_have_the_mean_cosine(tmp_path: Path) -> None:
    rows = [Row(_wav(tmp_path, f"{n}.wav", 0.1, n), "abc"[:n], id=str(n)) for n in range(1, 4)]
    features = caption_features(sorted_rows(rows), LoudnessEncoder())
    both = features.of("both")
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1.0)
    cosines = (features.audio @ features.audio.T + features.text @ features.text.T) / 2
    np.testing.assert_allclose(both @ both.T, cosines, atol=1e-12)
