"""``partition`` from a manifest of small wavs to the folder."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
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

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.pipelines import partition as pipeline
from dplass_cli.pipelines.partition import partition

GROUPS, CAPTIONS, CLIPS = 7, 3, 3
RATE = 32000


class SpectrumEncoder:
    """Audio: level in 16 bands of 500 Hz. Text: hashed words."""

    name = "spectrum"
    fingerprint = "0" * 64
    size = 16
    sample_rate = 32000
    windows = "whole"
    embeds_audio = True

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
    monkeypatch.setattr(pipeline, "load_encoder_of", lambda model: SpectrumEncoder())


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
    names = {"partition.json", "centroids.safetensors", "report.html", "clusters.png", "sizes.png", "similarity.png"}
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
        if path.suffix not in (".png", ".html"):  # the report names its command and date
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
    assert (three.captions, three.clips) == (("tone buzz", "whistle"), 0)
    assert three.name == "Whistle, tone, buzz"
    assert three.typical == ("whistle", "tone buzz")
    assert len(result.unmatched) == GROUPS * CAPTIONS - 3
    assert result.training_rows[3] == result.validation_mixtures[3] == 0
    assert torch.equal(result.partition.audio_centroids[1], result.partition.text_centroids[1])
    assert result.partition.settings["imported"] == "clusters.json"


def test_wrong_options_are_refused_before_any_clip_is_read(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "caption_features", None)
    with pytest.raises(InputError, match=r"22 domains.*has 21"):
        partition(PartitionOptions(corpus / "train.json", tmp_path, domains=22))
    with pytest.raises(InputError, match="no such file"):
        partition(PartitionOptions(corpus / "train.json", tmp_path, import_file=tmp_path / "absent.json"))
    for wrong in (
        {"method": "magic"},
        {"map": "globe"},
        {"weight": "gold"},
        {"domains": 0},
        {"seed": -1},
        {"val_fraction": 1.0},
        {"val_mixtures": 0},
        {"features": "sound"},
        {"labels": tmp_path / "labels.csv"},
        {"report": True, "import_file": tmp_path / "clusters.json"},
    ):
        with pytest.raises(InputError, match=next(iter(wrong))):
            PartitionOptions(corpus / "train.json", tmp_path, **wrong)  # type: ignore[arg-type]


def test_missing_inputs_are_refused_before_the_earlier_partition_is_removed(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = PartitionOptions(corpus / "train.json", tmp_path, domains=3)
    partition(given)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(pipeline, "caption_features", None)
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setitem(sys.modules, "faiss", None)
    for changed, says in (
        ({"map": "umap"}, "--map umap needs umap-learn"),
        ({"method": "spherical-kmeans"}, "needs faiss"),
        ({"method": "agglomerative", "weight": "clips"}, "--method agglomerative weighs all captions the same"),
        ({"manifest": tmp_path / "domain0.json"}, "would overwrite the input .*domain0.json; give another folder"),
    ):
        with pytest.raises(InputError, match=says):
            partition(dataclasses.replace(given, **changed))  # type: ignore[arg-type]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_captions_may_hold_anything_that_a_plot_might_read_as_markup(corpus: Path, tmp_path: Path) -> None:
    rows = [{**row, "caption": row["caption"].replace("tone", "$_{tone\\")} for row in _rows(corpus)]
    result = partition(PartitionOptions(_write(corpus / "markup.json", rows), tmp_path, domains=12))
    assert (result.folder / "clusters.png").stat().st_size > 10_000


def test_auto_finds_the_seven_groups_and_reports_every_number(corpus: Path, tmp_path: Path) -> None:
    result = partition(PartitionOptions(corpus / "train.json", tmp_path, domains="auto"))
    assert len(result.partition.domains) == result.quality.domains == GROUPS
    assert result.partition.settings["auto"] is True
    assert result.quality.seeds == pytest.approx(1.0)
    with open(tmp_path / "quality.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["domains"]) for row in rows] == list(range(2, 16))
    assert (tmp_path / "quality.png").read_bytes().startswith(b"\x89PNG")


def test_auto_needs_captions_that_differ(corpus: Path, tmp_path: Path) -> None:
    rows = [{**row, "caption": f"name {number % 4}"} for number, row in enumerate(_rows(corpus)[:1] * 4)]
    with pytest.raises(InputError, match=r"--domains auto needs captions with at least 3 different features"):
        partition(PartitionOptions(_write(corpus / "same.json", rows), tmp_path, domains="auto"))


def test_hdbscan_makes_its_own_number(corpus: Path, tmp_path: Path) -> None:
    rows = [{**row, "caption": f"{row['caption']} {number}"} for number, row in enumerate(_rows(corpus))]
    options = PartitionOptions(_write(corpus / "many.json", rows), tmp_path, method="hdbscan", domains=2)
    assert len(partition(options).partition.domains) == GROUPS
    with pytest.raises(InputError, match="--report: --method hdbscan finds its own number of domains; leave it out"):
        PartitionOptions(corpus / "train.json", tmp_path, method="hdbscan", report=True)


def test_files_of_an_earlier_partition_are_removed(corpus: Path, tmp_path: Path) -> None:
    partition(PartitionOptions(corpus / "train.json", tmp_path, report=True))
    assert (tmp_path / "domain6.json").exists()
    mine = ("domains.txt", "quality.md", "val2024_listening_test.csv", "domain1_notes.json")
    for name in mine:
        (tmp_path / name).write_text("mine")
    partition(PartitionOptions(corpus / "train.json", tmp_path, domains=3))
    left = {path.name for path in tmp_path.iterdir()}
    assert {name for name in left if name.startswith(("domain", "val"))} == {
        *(f"domain{k}.json" for k in range(3)),
        *(f"val{k}.csv" for k in range(3)),
        *(name for name in mine if name != "quality.md"),
    }
    assert "quality.md" in left
    assert not {"quality.csv", "quality.png"} & left


def test_a_dominant_domain_causes_a_warning(corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    partition(PartitionOptions(corpus / "train.json", tmp_path))
    assert not caplog.records
    rows = [row for row in _rows(corpus) if not row["wav"].startswith("g5") or row["wav"] == "g5-0-0.wav"]
    kept = [{**row, "caption": row["caption"].replace("tone5", "lonely")} for row in rows if row["wav"] > "g4"]
    kept = [row for row in kept if not row["wav"].startswith("g4")] + [
        {**row, "id": f"{row['wav']}-{copy}"} for row in kept if row["wav"].startswith("g6") for copy in range(3)
    ]
    partition(PartitionOptions(_write(corpus / "swallowed.json", kept), tmp_path, domains=2))
    (warned,) = [record.getMessage() for record in caplog.records]
    assert warned.startswith("domain 0 has 97% of the clips; try other --features")
    assert "domain 0 has 97% of the clips" in (tmp_path / "report.html").read_text()


def test_a_cache_of_another_encoder_is_refused(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = PartitionOptions(corpus / "train.json", tmp_path / "out", cache=tmp_path / "cache")
    partition(options)
    monkeypatch.setattr(SpectrumEncoder, "fingerprint", "1" * 64)
    with pytest.raises(InputError, match=r"cache: contains embeddings of spectrum \(000000000000…\), none of spectrum"):
        partition(options)


def test_an_embedding_that_is_not_finite_names_the_file(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = SpectrumEncoder.embed_audio

    def broken(self: SpectrumEncoder, waveforms: Sequence[Tensor], sample_rate: int) -> Tensor:
        vectors = sound(self, waveforms, sample_rate)
        vectors[2] = float("nan")
        return vectors

    monkeypatch.setattr(SpectrumEncoder, "embed_audio", broken)
    with pytest.raises(InputError, match=r"g0-0-2\.wav: its audio embedding is not finite"):
        partition(PartitionOptions(corpus / "train.json", tmp_path))


def test_labels_match_rows_to_an_imported_partition(corpus: Path, tmp_path: Path) -> None:
    rows = [{**row, "labels": [f"/m/{row['caption'][4]}"]} for row in _rows(corpus)]
    classes = ["index,mid,display_name", *(f'{k},/m/{k},"Tone, {k}"' for k in range(GROUPS))]
    (tmp_path / "classes.csv").write_text("\n".join(classes))
    published = {
        f"cluster{k}": {"cluster_id": k, "categories_in_cluster": [f"Tone, {n}" for n in range(k, GROUPS, 2)]}
        for k in range(2)
    }
    (tmp_path / "clusters.json").write_text(json.dumps(published))
    manifest = _write(corpus / "labelled.json", rows)
    options = PartitionOptions(manifest, tmp_path / "out", import_file=tmp_path / "clusters.json")
    with pytest.raises(InputError, match="give --labels class_labels_indices"):
        partition(options)
    result = partition(dataclasses.replace(options, labels=tmp_path / "classes.csv"))
    assert result.unmatched == ()
    even, odd = result.partition.domains
    assert {caption for caption in even.captions if caption.startswith("tone")} == {
        f"tone{k} kind{c}" for k in (0, 2, 4, 6) for c in range(CAPTIONS)
    }
    assert {"Tone, 1", "Tone, 3", "Tone, 5"} <= set(odd.captions)


def test_a_clip_that_vanishes_is_left_out_of_the_report(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from dplass_cli.reports import partition_report as report

    def gone(path: Path, start: float, end: float | None) -> Any:
        if path.name.startswith("g0"):
            raise InputError(f"{path}: no such audio file")
        return read_audio(path, start, end)

    read_audio = report.read_audio
    monkeypatch.setattr(report, "read_audio", gone)
    partition(PartitionOptions(corpus / "train.json", tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert page.count("<audio") == 3 * (GROUPS - 1)
    assert "No clip of this domain can be read" in page
    assert len(caplog.records) == CAPTIONS * CLIPS


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_reads_well_in_a_browser(corpus: Path, tmp_path: Path, chromium: Any, width: int) -> None:
    partition(PartitionOptions(corpus / "train.json", tmp_path, report=True))
    page, errors = chromium(tmp_path / "report.html", width)
    assert page.title() == "7 domains of sound"
    durations = page.evaluate("[...document.querySelectorAll('audio')].map(a => a.duration)")
    assert len(durations) == 3 * GROUPS
    assert all(0.05 < duration < 0.4 for duration in durations)
    assert page.evaluate("[...document.images].every(i => i.naturalWidth > 300 && i.alt)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # wide tables scroll inside their frame
    captions = page.locator("section", has=page.locator("#captions"))
    captions.locator("summary").click()
    captions.get_by_role("button", name="caption").click()
    first = captions.locator("tbody td:first-child")
    assert first.first.inner_text() == "tone0 kind0"
    captions.get_by_role("button", name="caption").click()
    assert first.first.inner_text() == "tone6 kind2"
    captions.get_by_role("searchbox").fill("tone3 kind1")
    shown = captions.locator("tbody tr:visible").all_inner_texts()  # the names of domains count, too
    assert 1 <= len(shown) < GROUPS * CAPTIONS
    assert all("tone3" in row.lower() and "kind1" in row.lower() for row in shown)
    assert errors == []
