"""``partition`` from a manifest of small wavs to the folder."""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits
from torch import Tensor

from dplass_cli.audio.files import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.domains.partition import read_partition
from dplass_cli.errors import InputError
from dplass_cli.pipelines import partition as pipeline
from dplass_cli.pipelines.partition import PartitionOptions, partition

GROUPS, CAPTIONS, CLIPS = 7, 3, 3
RATE = 32000


class SpectrumEncoder:
    """Audio: level in 16 bands of 500 Hz. Text: hashed words."""

    name = "spectrum"
    fingerprint = "0" * 64
    size = 16
    sample_rate = 32000
    windows = "whole"

    def embed_text(self, sentences: list[str]) -> Tensor:
        vectors = torch.zeros(len(sentences), self.size)
        for row, sentence in enumerate(sentences):
            for word in sentence.split():
                vectors[row, zlib.crc32(word.encode()) % self.size] += 1.0
        return torch.nn.functional.normalize(vectors, dim=-1)

    def embed_audio(self, waveforms: Sequence[Tensor], sample_rate: int) -> Tensor:
        bands = []
        for waveform in waveforms:
            width = 500 * len(waveform) // sample_rate
            spectrum = np.abs(np.fft.rfft(waveform.numpy()))[: 16 * width]
            bands.append(torch.from_numpy(spectrum.reshape(16, width).max(axis=-1)).float())
        return torch.nn.functional.normalize(torch.stack(bands), dim=-1)


@pytest.fixture(autouse=True)
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "load_encoder", lambda *args, **kwargs: SpectrumEncoder())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones in seven bands, three captions a band, three clips a caption; a third of the clips is longer."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    rows = []
    for group in range(GROUPS):
        for caption in range(CAPTIONS):
            for clip in range(CLIPS):
                name = f"g{group}-{caption}-{clip}.wav"
                time = np.arange(3200 + 800 * (clip == 2)) / RATE
                tone = np.sin(2 * np.pi * (500 + 900 * group) * time) + random.normal(0, 0.02, len(time))
                write_audio(folder / name, 0.3 * tone[None].astype(np.float32), RATE)
                rows.append({"wav": name, "caption": f"tone{group} kind{caption}"})
    _write(folder / "train.json", rows)
    return folder


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"data": rows}))
    return path


def _rows(corpus: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((corpus / "train.json").read_text())["data"]
    return rows


def test_seven_groups_become_seven_domains_with_all_files(corpus: Path, tmp_path: Path) -> None:
    result = partition(PartitionOptions(corpus / "train.json", tmp_path / "out", val_fraction=0.3))
    found = {c: d.id for d in result.partition.domains for c in d.captions}
    captions = sorted(found)
    assert len(captions) == GROUPS * CAPTIONS
    assert adjusted_rand_score([c.split()[0] for c in captions], [found[c] for c in captions]) >= 0.99
    # All domains have nine clips, so the alphabet decides.
    assert [d.captions[0] for d in result.partition.domains] == [f"tone{k} kind0" for k in range(GROUPS)]
    assert [d.clips for d in result.partition.domains] == [CAPTIONS * CLIPS] * GROUPS
    names = {"partition.json", "centroids.safetensors", "clusters.png"}
    names |= {f"domain{k}.json" for k in range(7)} | {f"val{k}.csv" for k in range(7)}
    assert {path.name for path in result.folder.iterdir()} == names
    assert read_partition(result.folder).domains == result.partition.domains
    assert (result.folder / "clusters.png").read_bytes().startswith(b"\x89PNG")


def test_training_and_validation_files_fit_together(corpus: Path, tmp_path: Path) -> None:
    result = partition(PartitionOptions(corpus / "train.json", tmp_path, val_fraction=0.3, val_mixtures=6))
    all_clips = {row.wav for row in read_manifest(corpus / "train.json")}
    training = {k: read_manifest(tmp_path / f"domain{k}.json") for k in range(GROUPS)}
    sources: set[Path] = set()
    for k, domain in enumerate(result.partition.domains):
        with open(tmp_path / f"val{k}.csv", newline="") as stream:
            mixtures = list(csv.DictReader(stream))
        assert result.training_rows[k] == len(training[k]) > 0
        assert result.validation_mixtures[k] == len(mixtures) == 6
        assert {row.caption for row in training[k]} | {m["caption"] for m in mixtures} <= set(domain.captions)
        assert all(Path(m[c]) in all_clips for m in mixtures for c in ("src_wav", "noise_wav"))
        assert all(Path(m["noise_wav"]).stem[:2] != Path(m["src_wav"]).stem[:2] for m in mixtures)
        sources |= {Path(m["src_wav"]) for m in mixtures}
    assert sources.isdisjoint(row.wav for rows in training.values() for row in rows)


def test_row_order_and_threads_do_not_change_a_byte(corpus: Path, tmp_path: Path) -> None:
    rows = _rows(corpus)
    order = np.random.default_rng(5).permutation(len(rows))
    shuffled = _write(corpus / "shuffled.json", [rows[i] for i in order])
    first = partition(PartitionOptions(corpus / "train.json", tmp_path / "a")).folder
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        with threadpool_limits(limits=2):
            second = partition(PartitionOptions(shuffled, tmp_path / "b")).folder
    finally:
        torch.set_num_threads(threads)
    for path in sorted(first.iterdir()):
        if path.suffix != ".png":
            assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_text_features_partition_by_words(corpus: Path, tmp_path: Path) -> None:
    result = partition(PartitionOptions(corpus / "train.json", tmp_path, domains=2, features="text"))
    assert result.partition.settings["features"] == "text"
    assert len(result.partition.domains) == 2


def test_import_keeps_ids_and_domains_without_clips(corpus: Path, tmp_path: Path) -> None:
    published = {
        f"cluster{k}": {"cluster_id": k, "categories_in_cluster": names}
        for k, names in {5: ["TONE0 kind0", "tone1 KIND0"], 2: ["tone6 kind0"], 3: ["whistle", "tone buzz"]}.items()
    }
    (tmp_path / "clusters.json").write_text(json.dumps(published))
    options = PartitionOptions(corpus / "train.json", tmp_path / "out", import_file=tmp_path / "clusters.json")
    result = partition(options)
    two, three, five = result.partition.domains
    assert (two.id, three.id, five.id) == (2, 3, 5)
    assert "tone6 kind0" in two.captions
    assert {"tone0 kind0", "tone1 kind0", "tone0 kind2"} <= set(five.captions)
    assert (three.captions, three.clips) == (("whistle", "tone buzz"), 0)
    assert len(result.unmatched) == GROUPS * CAPTIONS - 3
    assert result.training_rows[3] == result.validation_mixtures[3] == 0
    assert torch.equal(result.partition.audio_centroids[1], result.partition.text_centroids[1])
    assert result.partition.settings["imported"] == "clusters.json"


def test_wrong_requests_are_told_before_any_clip_is_read(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "caption_features", None)
    with pytest.raises(InputError, match=r"22 domains.*has 21"):
        partition(PartitionOptions(corpus / "train.json", tmp_path, domains=22))
    with pytest.raises(InputError, match="no such file"):
        partition(PartitionOptions(corpus / "train.json", tmp_path, import_file=tmp_path / "absent.json"))
    for wrong in ({"domains": 0}, {"seed": -1}, {"val_fraction": 1.0}, {"val_mixtures": 0}, {"features": "sound"}):
        with pytest.raises(InputError, match=f"--{next(iter(wrong)).replace('_', '-')}"):
            PartitionOptions(corpus / "train.json", tmp_path, **wrong)  # type: ignore[arg-type]


def test_captions_may_hold_anything_that_a_plot_might_read_as_markup(corpus: Path, tmp_path: Path) -> None:
    rows = [{**row, "caption": row["caption"].replace("tone", "$_{tone\\")} for row in _rows(corpus)]
    result = partition(PartitionOptions(_write(corpus / "markup.json", rows), tmp_path, domains=12))
    assert (result.folder / "clusters.png").stat().st_size > 10_000
