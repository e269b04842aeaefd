"""One small file of every form that a version writes: how they were made, and what is done with them ever after.

All through the command line. ``@HERE@`` in a text stands for the folder in which the files lie.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from typer.testing import CliRunner

from dplass_cli.cli import app

PLACE = "@HERE@"
METHODS = ("reconv", "dora", "conv-adapter")
TEXTS = (".json", ".jsonl", ".csv", ".yaml", ".md", ".log", ".txt")
SOUNDS = {
    "Bark": "dog_bark",
    "Rain": "rain",
    "Siren": "siren",
    "Flute": "flute",
    "Hoot": "owl_hoot",
    "Typing": "typing",
}
NETWORK = """network:
  channels: [4, 4]
  downsample: [[2, 2], [1, 2]]
  pre_channels: 4
  n_fft: 32
  hop: 16
  condition_size: 128
"""
OLD_ENCODER = ("--encoder", "tiny-0.1", "--device", "cpu")
MODELS = ("--base-checkpoint", "base.safetensors", "--encoder", "tiny-0.1")
TRAINING = (
    "train.batch_size_per_device=2",
    "train.num_workers=0",
    "train.optimizer.learning_rate=1e-3",
    "train.loss_type=negative_sdr",
)


def dplass(*words: str | Path, code: int = 0) -> Any:
    """Run a verb; what it says as JSON.

    Raises:
        AssertionError: it ended with another exit code.
    """
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == code, f"{words} ended with {done.exit_code}: {done.stderr or done.exception!r}"
    return json.loads(done.stdout)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Stand in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def sets(*settings: str) -> tuple[str, ...]:
    """Settings as words of a command line."""
    return tuple(word for setting in settings for word in ("--set", setting))


def make(folder: Path) -> None:
    """Write one of each with the code that runs."""
    from dplass_cli.sounds import render

    with inside(folder):
        for label, name in SOUNDS.items():
            Path("corpus", label).mkdir(parents=True)
            for take in range(3):
                sound = render(name, 5000 + take, 0.35, 16000)
                soundfile.write(Path("corpus", label, f"{name}{take}.flac"), sound, 16000, "PCM_16")
        Path("corpus", "Bark", "broken.wav").write_bytes(b"RIFF and nothing more")
        dplass("prepare", "folder", "corpus", "--output", "train.json")
        dplass("prepare", "folder", "corpus", "--output", "train.jsonl")
        dplass("embed", "train.json", "--output", "embeddings", "--identity", "content")
        cached = ("--cache", "embeddings", "--set", "val_mixtures=2", *OLD_ENCODER)
        dplass("partition", "train.json", "--output", "partition", "--domains", 3, *cached)
        on = ("--data", "partition", "--device", "cpu", *sets(*TRAINING))
        Path("network.yaml").write_text(NETWORK, encoding="utf-8")
        network = ("--config", "network.yaml", "--max-steps", 30)
        dplass("train", "--what", "base", "--workspace", "network", *on, *network)
        shutil.move("network/base.safetensors", "base.safetensors")
        shutil.rmtree("network")
        lora = ("--adapter", "lora", "--set", "adapter.rank=2")
        dplass("train", "--domain", "0,1", "--workspace", "run", *on, *MODELS, *lora, "--max-epochs", 2)
        for method in METHODS:
            few = ("--adapter", method, "--max-steps", 1)
            dplass("train", "--domain", "2", "--workspace", "other", *on, *MODELS, *few)
            Path(method).mkdir()
            shutil.move("other/bank/domain2", method)
            shutil.rmtree("other")
        shutil.rmtree("run/tf_logs")  # curves and pictures for people
        for picture in (*Path("partition").glob("*.png"), *Path("partition").glob("*.html")):
            picture.unlink()
        dplass("adapters", "export", "run/bank/domain0", "--output", "cluster0_model.pt", *MODELS[:2])
        dplass("adapters", "merge", "run/bank/domain0", "--output", "merged.safetensors", *MODELS[:2])
        dplass("evaluate", *_evaluated(), "--output", "evaluation")
        dplass("evaluate", *_evaluated(), "--output", "second", "--select", "base,text", "--limit", 2)
    _hide_places(folder)


def _evaluated() -> tuple[str, ...]:
    how = ("--adapters", "run/bank", "--backend", "torch", "--device", "cpu", "--no-report")
    return ("--metadata-csv", "partition/val0.csv", *MODELS, *how)


def _hide_places(folder: Path) -> None:
    """Put ``@HERE@`` where texts say where they lie, and look that nothing else does.

    Raises:
        ValueError: a file that is no text says where it lay.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and str(folder).encode() in path.read_bytes():
            if path.suffix not in TEXTS:
                raise ValueError(f"{path}: says where it lies, and is no text")
            path.write_text(path.read_text(encoding="utf-8").replace(str(folder), PLACE), encoding="utf-8")


def copy(files: Path, folder: Path) -> Path:
    """Copy the files to where they are to be used."""
    shutil.copytree(files, folder, dirs_exist_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.suffix in TEXTS and path.is_file():
            text = path.read_text(encoding="utf-8")
            if PLACE in text:
                path.write_text(text.replace(PLACE, str(folder)), encoding="utf-8")
    return folder


def use_manifests(folder: Path) -> Any:
    """Both forms of a manifest are read, and embeddings are found again where the files were moved."""
    embedded = dplass("embed", "train.json", "--output", "embeddings", *OLD_ENCODER)
    merged = dplass("prepare", "merge", "train.json", "train.jsonl", "--output", "both.json")
    found = dplass("retrieve", "a dog barking", "--data", "train.jsonl", "--cache", "embeddings", *OLD_ENCODER)
    return {"embedded": embedded, "merged": merged["rows"], "found": found}


def use_partition(folder: Path) -> Any:
    """A partition is asked about sentences, compared, and looked at before a training."""
    assigned = dplass("domains", "assign", "a puppy barks", "rain on the roof", "--partition", "partition")
    cached = ("--cache", "embeddings", "--set", "val_mixtures=2", *OLD_ENCODER)
    dplass("partition", "train.json", "--output", "again", "--domains", 3, "--map", "pca", *cached)
    compared = dplass("domains", "compare", "partition", "again")
    planned = dplass("train", "--data", "partition", "--workspace", "plan", "--dry-run", *MODELS)
    jobs = [(job["name"], job["rows"], job["validation_mixtures"]) for job in planned["plan"]]
    found = [(one["domain"], one["nearest_caption"], one["probabilities"]) for one in assigned]
    return {"assigned": found, "compared": [compared["captions"], compared["adjusted_rand"]], "jobs": jobs}


def use_adapters(folder: Path) -> Any:
    """Adapters of every method, a bank and a published file are listed."""
    listed = dplass("adapters", "list", "run/bank", *(f"{one}/domain2" for one in METHODS), "cluster0_model.pt")
    return [[one["info"]["method"], one["info"]["domain"].get("id"), one["parameters"]] for one in listed]


def use_bases(folder: Path) -> Any:
    """Every adapter, the published file and the merged base separate as they did."""
    runs = {
        "bank": (*MODELS, "--adapters", "run/bank", "--select", "text"),
        "reconv": (*MODELS, "--adapters", "reconv/domain2", "--select", "single:2"),
        "dora": (*MODELS, "--adapters", "dora/domain2", "--select", "single:2"),
        "conv-adapter": (*MODELS, "--adapters", "conv-adapter/domain2", "--select", "single:2"),
        "published": (*MODELS, "--adapters", "cluster0_model.pt", "--select", "single:0"),
        "one": (*MODELS, "--adapters", "run/bank/domain0", "--select", "single:0"),
        "merged": ("--base-checkpoint", "merged.safetensors", "--encoder", "tiny-0.1", "--select", "base"),
        "base": (*MODELS, "--select", "base"),
    }
    return {name: _separated(name, *words) for name, words in runs.items()}


def _separated(name: str, *words: str) -> list[float]:
    """Ten samples of a target, and its level."""
    how = ("--query", "a dog barking", "--subtype", "PCM_24", "--backend", "torch", "--device", "cpu")
    said = dplass("separate", "corpus/Bark/dog_bark0.flac", *how, *words, "--output", f"out_{name}")
    (written,) = next(iter(said["written"].values()))
    audio, _ = soundfile.read(written["path"])
    return [*audio[1000:1100:10].tolist(), float(np.sqrt(np.square(audio).mean()))]


def use_workspace(folder: Path) -> Any:
    """A training goes on where it was, from its own configuration, for another epoch."""
    before = Path("run/metrics.csv").read_text(encoding="utf-8").splitlines()
    said = dplass("train", "--config", "run/config.yaml", "--resume", "--max-epochs", 3)
    after = Path("run/metrics.csv").read_text(encoding="utf-8").splitlines()
    assert set(before) <= set(after), after  # the epochs that were there are not trained again
    rows = list(csv.DictReader(after))
    columns = ("train_loss", "val_sdri", "learning_rate")
    numbers = [[row["run"], int(row["epoch"]), int(row["step"]), *(float(row[c]) for c in columns)] for row in rows]
    domains = {name: [one["epochs"], one["steps"]] for name, one in said["domains"].items()}
    return {"metrics": numbers, "domains": domains}


def use_evaluation(folder: Path) -> Any:
    """Evaluations are compared, tabulated, and gone on with: a row that is there is not measured again."""
    compared = dplass("results", "compare", "evaluation", "second", "--select", "base,text")
    scanned = dplass("results", "scan", ".")
    plain = ("base", "text", "audio", "oracle")  # others may be called otherwise
    table = [[row["folder"], row["policy"], row["sdri"], row["n"]] for row in scanned if row["policy"] in plain]
    lines = [[line["policy"], line["sdri"], line["n"]] for line in compared["lines"]]
    resumed = _resumed("evaluation")
    return {"rows": len(scanned), "table": table, "compared": lines, "resumed": resumed}


def _resumed(name: str) -> Any:
    """Go on in an evaluation whose first row is not what would be measured; that of its mean says who was asked."""
    items = Path(name, "items.csv")
    dplass("evaluate", *_evaluated(), "--output", "elsewhere", "--limit", 1, "--select", "base")
    # The first line is of the models, and of where the folders lie, which is elsewhere now.
    first = Path("elsewhere/items.csv").read_text(encoding="utf-8").splitlines()[0]
    lines = items.read_text(encoding="utf-8").splitlines()
    columns = lines[1].split(",")
    row = dict(zip(columns, lines[2].split(","), strict=True))
    assert row["adapter"] == "base"
    row["sdri"] = "42.000000"
    items.write_text("\n".join([first, lines[1], ",".join(row[c] for c in columns), *lines[3:], ""]), encoding="utf-8")
    said = dplass("evaluate", *_evaluated(), "--output", name, "--select", "base,text,oracle")
    return [[policy, score["sdri"], score["n"]] for policy, score in said["policies"].items()]


def use_mixtures(folder: Path) -> Any:
    """A table of mixtures is measured as it was."""
    words = [word if word != "partition/val0.csv" else "partition/val1.csv" for word in _evaluated()]
    said = dplass("evaluate", *words, "--output", "measured", "--select", "base,text,blend,oracle")
    return [[policy, score["sdri"], score["si_sdr"], score["n"]] for policy, score in said["policies"].items()]


USES: dict[str, Callable[[Path], Any]] = {
    "manifests": use_manifests,
    "partition": use_partition,
    "adapters": use_adapters,
    "bases": use_bases,
    "workspace": use_workspace,
    "evaluation": use_evaluation,
    "mixtures": use_mixtures,
}


def use(name: str, files: Path, folder: Path) -> Any:
    """Do one of these with a copy of the files; what came of it, as JSON has it."""
    with inside(copy(files, folder)):
        return json.loads(json.dumps(USES[name](folder)).replace(str(folder), PLACE))
