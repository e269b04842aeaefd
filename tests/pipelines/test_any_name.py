"""Names of any bytes survive from a corpus to training and measuring."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import load_encoder
from dplass_cli.file_names import is_text
from dplass_cli.models import save_base
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_options import CorpusOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.prepare import prepare_corpus
from dplass_cli.pipelines.train import train
from dplass_cli.sounds import render

SMALL = ResUNet30Config(
    condition_size=128, n_fft=512, hop=320, pre_channels=4, channels=(4, 8), downsample=((2, 2), (2, 2))
)
SOUNDS = ("dog_bark", "rain", "siren", "flute")


def names() -> list[str]:
    """A name of each kind; the last has 250 bytes."""
    long = "long é " + "犬" * 79
    long += "x" * (246 - len(long.encode()))
    return [
        "dog ö 犬 🐕",
        os.fsdecode(b"caf\xe9 \xff"),
        "two\nlines\r\nthree",
        'quote " and, comma',
        "-dash  & $HOME `x` #1",
        long,
    ]


def test_any_name_survives_the_chain(tmp_path: Path) -> None:
    wanted = set()
    for seed, name in enumerate(names()):
        for sound in SOUNDS:
            caption = name[:40] if is_text(name) else "latin"
            path = tmp_path / "corpus" / sound / caption / f"{name}.wav"
            path.parent.mkdir(parents=True)
            write_audio(path, render(sound, 7000 + seed, 1.0, 32000)[None], 32000, "PCM_16")
            wanted.add(path)
    assert max(len(os.fsencode(path.name)) for path in wanted) == 250
    prepared = prepare_corpus(CorpusOptions(kind="folder", folder=tmp_path / "corpus", output=tmp_path / "train.json"))
    rows = read_manifest(prepared.manifest)
    assert {row.wav for row in rows} == wanted
    partition(PartitionOptions(tmp_path / "train.json", tmp_path / "partition", domains=2, val_mixtures=2))
    kept = {row.wav for k in (0, 1) for row in read_manifest(tmp_path / "partition" / f"domain{k}.json")}
    with (tmp_path / "partition" / "val0.csv").open(newline="", errors="surrogateescape") as stream:
        kept |= {Path(row["src_wav"]) for row in csv.DictReader(stream)}
    assert kept <= {row.wav for row in rows}
    torch.manual_seed(0)
    save_base(tmp_path / "base.safetensors", ResUNet30(SMALL), load_encoder().fingerprint)
    trained = train(
        TrainOptions(
            partition=tmp_path / "partition",
            workspace=tmp_path / "run",
            base_checkpoint=str(tmp_path / "base.safetensors"),
            encoder="tiny",
            train=TrainSettings(batch_size_per_device=4, num_workers=0, max_epochs=1),
            device="cpu",
        )
    )
    assert (tmp_path / "run" / "bank" / "bank.json").is_file()
    assert not any(domain.unreadable for domain in trained.domains.values())
