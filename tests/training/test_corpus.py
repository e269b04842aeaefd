"""The data of a run: query embeddings, pools of interferers, validation mixtures, and checked settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_jobs import DATA, RATE, corpus
from small_networks import SMALL

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, render
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import load_encoder
from dplass_cli.errors import InputError
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.storage import no_progress
from dplass_cli.training.corpus import check_data_settings, embed_queries


def interferers(folder: Path, rule: str) -> set[int]:
    """Domains that may interfere with a target of domain 0."""
    data = replace(DATA, interference=rule)  # type: ignore[arg-type]
    samples = corpus(folder, data=data).samples([0])
    return {source.domain for source in samples.interference[0]}


@pytest.mark.parametrize(("rule", "domains"), [("other", {1}), ("same", {0}), ("any", {0, 1})])
def test_interferers_come_from_the_chosen_domains(tmp_path: Path, rule: str, domains: set[int]) -> None:
    assert interferers(tmp_path, rule) == domains


def test_noise_files_replace_the_interferers(tmp_path: Path) -> None:
    write_audio(tmp_path / "noise" / "hum.wav", np.full((1, 4000), 0.1, np.float32), 8000)
    samples = corpus(tmp_path / "audio", data=replace(DATA, noise_dir=tmp_path / "noise")).samples([0])
    assert [source.row.wav.name for source in samples.interference[0]] == ["hum.wav"]


def test_targets_come_from_the_requested_domains(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    assert {source.domain for source in data.samples([1]).targets} == {1}
    assert len(data.samples([0, 1])) == 8


def test_validation_mixtures_have_the_embeddings_of_their_captions(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    validation = data.validation([1])
    assert [item["domain"] for item in validation] == [1, 1]  # type: ignore[attr-defined]
    assert torch.equal(validation[1]["condition"], data.embeddings[data.index["tone 11"]])


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Two clips with one caption, a clip with another, and a file that is missing."""
    for name in ("a", "b", "c"):
        write_audio(tmp_path / f"{name}.wav", np.full((1, 16000), 0.1, np.float32), 32000)
    captions = {"a": "rain", "b": "rain", "c": "a dog", "gone": "a dog"}
    return [Row(tmp_path / f"{name}.wav", caption, id=name) for name, caption in captions.items()]


def test_each_caption_is_embedded_once(rows: list[Row]) -> None:
    encoder = load_encoder()
    mixtures = [Mixture(Row(rows[0].wav, "a cat"), rows[1])]
    table, index = embed_queries(rows, mixtures, encoder, None, no_progress)
    assert index == {"a cat": 0, "a dog": 1, "rain": 2}
    torch.testing.assert_close(table, encoder.embed_text(["a cat", "a dog", "rain"]))


def test_with_a_cache_each_readable_clip_is_embedded_too(rows: list[Row], tmp_path: Path) -> None:
    table, index = embed_queries(rows, [], load_encoder(), tmp_path / "cache", no_progress)
    assert {clip_of(row) for row in rows[:3]} == {key for key in index if not isinstance(key, str)}
    assert table.shape == (2 + 3, 128)
    torch.testing.assert_close(table.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (DataSettings(sampling_rate=16000), "data.sampling_rate is 16000, the network works at 32000; set it to 32000"),
        (DataSettings(segment_seconds=0.004), "needs more than 0.004 s; the published run used 2 s"),
        (DataSettings(noise_dir=Path("gone")), "gone: no such folder"),
    ],
)
def test_settings_that_a_base_cannot_learn_from_are_refused(settings: DataSettings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_data_settings(settings, SMALL)


def test_items_are_the_rendered_mixtures_of_all_domains(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    validation = data.validation([0, 1])
    assert len(validation) == 4
    mixture, target = render(data.mixtures[1][0], RATE)
    item = validation[2]
    assert torch.equal(item["mixture"], torch.from_numpy(mixture))
    assert torch.equal(item["target"], torch.from_numpy(target))
    assert item["domain"] == 1


def test_a_mixture_is_rendered_once(tmp_path: Path) -> None:
    validation = corpus(tmp_path).validation([0])
    first = validation[0]
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    assert validation[0] is first


def test_captions_of_interferers_are_embedded_where_they_are_compared(rows: list[Row]) -> None:
    _, index = embed_queries(rows[:1], [], load_encoder(), None, no_progress, interferers=rows)
    assert set(index) == {"rain", "a dog"}


class CountingEncoder:
    """The tiny encoder, which counts the sentences that it embeds."""

    def __init__(self) -> None:
        self.encoder, self.sentences = load_encoder(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def embed_text(self, sentences: Sequence[str]) -> torch.Tensor:
        self.sentences += len(sentences)
        return self.encoder.embed_text(sentences)


def test_many_captions_are_embedded_once_for_all_jobs_of_a_run(rows: list[Row], tmp_path: Path) -> None:
    many = [replace(rows[0], caption=f"rain {number}") for number in range(300)]
    counted, tables = CountingEncoder(), []
    for _ in range(2):
        table, index = embed_queries(many[:1], [], counted, None, no_progress, many, tmp_path / "cache")  # type: ignore[arg-type]
        tables.append(table)
    assert counted.sentences == 300
    torch.testing.assert_close(tables[0], counted.encoder.embed_text(sorted(row.caption for row in many)))
    assert torch.equal(*tables)
    assert index["rain 0"] == 0


def test_interferers_have_all_captions_of_their_clip(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    second = replace(data.rows[1][0], caption="tone 00")
    several = replace(data, rows={**data.rows, 1: [*data.rows[1], second]})
    clip = next(source for source in several.samples([0]).interference[0] if source.row == second)
    assert set(clip.captions) == {data.index["tone 10"], data.index["tone 00"]}


def test_without_a_filter_captions_are_not_compared(tmp_path: Path) -> None:
    samples = corpus(tmp_path, data=replace(DATA, semantic_filter=None)).samples([0])
    assert {source.captions for source in samples.interference[0]} == {()}
