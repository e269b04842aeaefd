"""From a folder in AudioLDM's format to a trained adapter: prepare, partition, train, separate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_corpus import SMALL, options

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import load_encoder
from dplass_cli.models import load_base, save_base
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_options import CorpusOptions
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.prepare import prepare_corpus
from dplass_cli.pipelines.train import train
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.sounds import render
from dplass_cli.storage import read_json

CLASSES = {
    "dog_bark": ("/m/05tny_", "Bark", "A dog barks in a yard"),
    "rain": ("/m/06mb1", "Rain", "Rain falls on a roof"),
    "siren": ("/m/03kmc9", "Siren", "A siren wails in the distance"),
}


@pytest.fixture
def audioldm(tmp_path: Path) -> Path:
    """A folder as AudioLDM's training code expects it: metadata that name lists, and the clips apart from them."""
    root, metadata = tmp_path / "corpus", tmp_path / "corpus" / "data" / "dataset" / "metadata"
    (metadata / "audioset").mkdir(parents=True)
    indices = "data/dataset/metadata/class_labels_indices.csv"
    rows = [f'{number},{mid},"{name}"' for number, (mid, name, _) in enumerate(CLASSES.values())]
    (root / indices).write_text("\n".join(["index,mid,display_name", *rows]) + "\n")
    items = []
    for name, (mid, _, caption) in CLASSES.items():
        for seed in range(3):
            wav = f"zip_audios/{name}/Y{seed}.wav"
            write_audio(root / "data/dataset/audioset" / wav, render(name, seed, 2.5, 32000)[None], 32000, "PCM_16")
            items.append(
                {"wav": wav, "seg_label": "", "labels": f"{mid},/m/09d5_" if seed else mid, "caption": caption}
            )
    (metadata / "audioset" / "train.json").write_text(json.dumps({"data": items}))
    paths = {"audioset": {"train": "data/dataset/metadata/audioset/train.json", "class_label_indices": indices}}
    root_file = {"audioset": "data/dataset/audioset", "comments": {}, "metadata": {"path": paths}}
    (metadata / "dataset_root.json").write_text(json.dumps(root_file))
    return root


@pytest.mark.slow
def test_a_folder_of_audioldm_becomes_a_trained_adapter(audioldm: Path, tmp_path: Path) -> None:
    prepared = prepare_corpus(CorpusOptions(kind="audioldm", folder=audioldm, output=tmp_path / "train.json"))
    assert prepared.manifest == tmp_path / "train.json"
    rows = read_manifest(tmp_path / "train.json")
    assert {row.caption for row in rows} == {caption for _, _, caption in CLASSES.values()}
    assert {label for row in rows for label in row.labels} == {"/m/09d5_", *(mid for mid, _, _ in CLASSES.values())}

    torch.manual_seed(0)
    save_base(tmp_path / "base.safetensors", ResUNet30(SMALL), load_encoder().fingerprint)
    partition(PartitionOptions(tmp_path / "train.json", tmp_path / "partition", domains=2, val_mixtures=1))
    given = options(tmp_path, tmp_path / "run", epochs=2)
    result = train(replace(given, domain="1"))  # one step per epoch
    assert result.domains[1].steps == 2
    assert result.domains[1].best_sdri is not None

    assert read_json(tmp_path / "run" / "bank" / "domain1" / "adapter.json")["domain"]["id"] == 1
    base = load_base(tmp_path / "base.safetensors")
    bank = AdapterBank(base)
    (key,) = bank.load(tmp_path / "run" / "bank")
    mixture, condition = torch.randn(1, 1, 8000), load_encoder().embed_text(["a dog barking"])
    with torch.inference_mode():
        before = base(mixture, condition)
        bank.activate(key)
        assert (base(mixture, condition) - before).abs().max() > 1e-7  # two steps have changed the output
