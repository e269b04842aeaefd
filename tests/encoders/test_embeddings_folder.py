"""The folder of a manifest's embeddings, filled by one process or several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders.clips import Clip
from dplass_cli.encoders.embeddings_folder import EmbedResult, embed_manifest_clips
from dplass_cli.options.embed_options import EmbeddingSettings, EmbedOptions


class LevelEncoder:
    """Embeds the mean of a waveform."""

    name = "level"
    fingerprint = "0123456789abcdef"
    size = 1
    sample_rate = 16000
    kinds = ()
    windows = "whole"

    def embed_text(self, sentences: list[str]) -> Tensor:
        raise AssertionError("only audio is embedded")

    def embed_audio(self, waveforms: Sequence[Tensor], sample_rate: int) -> Tensor:
        return torch.stack([waveform.mean().reshape(1) for waveform in waveforms])

    def out_of_vocabulary(self, sentence: str) -> str | None:
        return None


def clips(folder: Path, *levels: float) -> list[Clip]:
    for level in levels:
        write_audio(folder / f"{level}.wav", np.full((1, 1600), level, np.float32), 16000)
    return [Clip(folder / f"{level}.wav", 0.0, None) for level in levels]


def embed(rows: Sequence[Clip], folder: Path, process: tuple[int, int] = (0, 1)) -> EmbedResult:
    manifest = folder.parent / "train.json"
    options = EmbedOptions(manifest=manifest, output=folder, embedding=EmbeddingSettings(batch=2, readers=1))
    return embed_manifest_clips(rows, options, LevelEncoder(), process)


def vectors(folder: Path) -> list[float]:
    """The embedding of each row of the manifest, rounded."""
    described = json.loads((folder / "embeddings.json").read_text())
    array = np.fromfile(folder / described["vectors"], np.float32).reshape(-1, described["size"])
    return [round(float(value), 2) for value in array[np.load(folder / "rows.npy"), 0]]


def test_each_row_points_to_the_embedding_of_its_clip(tmp_path: Path) -> None:
    a, b = clips(tmp_path, 0.25, 0.5)
    result = embed([b, a, b], tmp_path / "out")
    assert (result.rows, result.clips, result.embedded, result.hits, result.complete) == (3, 2, 2, 0, True)
    assert vectors(tmp_path / "out") == [0.5, 0.25, 0.5]


def test_a_second_run_embeds_nothing(tmp_path: Path) -> None:
    rows = clips(tmp_path, 0.25, 0.5)
    embed(rows, tmp_path / "out")
    again = embed(rows, tmp_path / "out")
    assert (again.embedded, again.hits, again.complete) == (0, 2, True)


def test_the_last_of_several_processes_writes_the_rows(tmp_path: Path) -> None:
    rows = clips(tmp_path, 0.25, 0.5, 0.75)
    first = embed(rows, tmp_path / "out", (1, 2))
    assert (first.embedded, first.complete, (tmp_path / "out" / "rows.npy").exists()) == (1, False, False)
    last = embed(rows, tmp_path / "out", (0, 2))
    assert (last.embedded, last.complete) == (2, True)
    assert vectors(tmp_path / "out") == [0.25, 0.5, 0.75]


def test_shares_of_another_manifest_do_not_count(tmp_path: Path) -> None:
    rows = clips(tmp_path, 0.25, 0.5, 0.75)
    embed(rows[:2], tmp_path / "out", (1, 2))
    assert not embed(rows, tmp_path / "out", (0, 2)).complete


def test_failed_clips_are_listed_and_their_rows_are_minus_one(tmp_path: Path) -> None:
    rows = [*clips(tmp_path, 0.25), Clip(tmp_path / "gone.wav", 0.0, None)]
    result = embed(rows, tmp_path / "out")
    assert list(result.failed) == [str(tmp_path / "gone.wav")]
    assert result.complete
    assert np.load(tmp_path / "out" / "rows.npy").tolist() == [0, -1]
    (listed,) = (tmp_path / "out").glob("*/failed-0-of-1.csv")
    assert pd.read_csv(listed)["wav"].tolist() == [str(tmp_path / "gone.wav")]
    assert json.loads((tmp_path / "out" / "embeddings.json").read_text())["failed_rows"] == 1
