"""What ``--json`` says: its keys and the kinds of its values, by verb."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frozen.old_files import MODELS, TRAINING, copy, dplass, inside, sets

ANY = "*"
# The values of these are maps whose keys are data: names of files, policies, captions, layers.
MAPS = (
    *("written", "failed", "unlearnt", "rejected", "classes", "sample_rates", "channels", "cleaned", "converted"),
    *("probabilities", "matched", "moved", "found", "domains", "unreadable", "best", "settings", "seeds", "policies"),
    *("adapters", "unusable", "choices", "layers", "notes", "energy_kept", "relative_change", "sdri", "confusion"),
)
NESTED = ("confusion",)  # maps of maps

FAST = ("--backend", "torch", "--device", "cpu")
BANK = ("--adapters", "run/bank")
_AUDIOSET = """# Segments
# of a test
# YTID, start_seconds, end_seconds, positive_labels
AAAAAAAAAAA, 0.000, 0.350, "/m/01"
BBBBBBBBBBB, 0.000, 0.350, "/m/01,/m/02"
"""
_LABELS = 'index,mid,display_name\n0,/m/01,"Bark"\n1,/m/02,"Rain"\n'
_SWEEP = """encoder: tiny
device: cpu
base_checkpoint: base.safetensors
train: {batch_size_per_device: 2, num_workers: 0, max_steps: 1, examples: 0}
sweep: {trials: 1, parameters: {train.optimizer.learning_rate: [1.0e-3]}}
"""
RUNS: dict[str, tuple[str | int, ...]] = {
    "prepare-audioset": (
        *("prepare-audioset", "--segments", "segments.csv", "--labels", "labels.csv", "--audio-dir", "clips"),
        *("--output", "audioset.json", "--max-missing", 1),
    ),
    "prepare folder": ("prepare", "folder", "corpus", "--output", "folder.json"),
    "prepare csv": (
        *("prepare", "csv", "--table", "clips.csv", "--audio-dir", "corpus", "--column", "wav=file"),
        *("--column", "caption=text", "--output", "csv.json"),
    ),
    "prepare merge": ("prepare", "merge", "train.json", "train.jsonl", "--output", "merged.json"),
    "embed": ("embed", "train.json", "--output", "embeddings"),
    "partition": (
        *("partition", "train.json", "--cache", "embeddings", "--domains", 3, "--set", "val_mixtures=2"),
        *("--map", "pca", "--device", "cpu", "--output", "again"),
    ),
    "domains assign": ("domains", "assign", "a puppy barks", "--partition", "partition"),
    "domains compare": ("domains", "compare", "partition", "again"),
    "retrieve": ("retrieve", "a dog", "--data", "train.json", "--cache", "embeddings", "--eval", "--device", "cpu"),
    "doctor": ("doctor", "--data", "partition", *MODELS, "--device", "cpu"),
    "train": (
        *("train", "--data", "partition", "--domain", 2, "--workspace", "new", "--max-steps", 1, *MODELS),
        *("--device", "cpu", *sets(*TRAINING)),
    ),
    "train --dry-run": ("train", "--data", "partition", "--workspace", "plan", "--dry-run", *MODELS),
    "sweep": ("sweep", "sweep.yaml", "--data", "partition", "--domain", 2, "--workspace", "search", "--seeds", 2),
    "evaluate": (
        *("evaluate", "--metadata-csv", "partition/val0.csv", *MODELS, *BANK, *FAST, "--no-report"),
        *("--output", "measured", "--metric", "bss"),
    ),
    "separate": (
        *("separate", "corpus/Bark/dog_bark0.flac", "--query", "a dog barking", "--residual", *MODELS, *BANK),
        *("--select", "text", *FAST, "--output", "out"),
    ),
    "adapters list": ("adapters", "list", "run/bank", "reconv/domain2", "cluster0_model.pt"),
    "adapters info": ("adapters", "info", "run/bank/domain0", *MODELS[:2]),
    "adapters import": ("adapters", "import", "cluster0_model.pt", *MODELS[:2], "--output", "imported"),
    "adapters export": ("adapters", "export", "run/bank/domain0", *MODELS[:2], "--output", "exported.pt"),
    "adapters merge": ("adapters", "merge", "run/bank/domain0", *MODELS[:2], "--output", "whole.safetensors"),
    "adapters compress": (
        *("adapters", "compress", "reconv/domain2", *MODELS[:2], "--rank", 2, "--output", "small"),
    ),
    "adapters diff": ("adapters", "diff", "run/bank/domain0", "run/bank/domain1", *MODELS[:2]),
    "results compare": ("results", "compare", "evaluation", "second"),
    "results scan": ("results", "scan", "."),
    "results fad": ("results", "fad", "corpus/Bark", "corpus/Rain"),
    "weights list": ("weights", "list", "--output", "weights"),
}  # fmt: skip


def outputs(files: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    """Run every verb in a copy of version 0.1's files: (verb, what it says)."""
    with inside(copy(files, folder)):
        Path("segments.csv").write_text(_AUDIOSET, encoding="utf-8")
        Path("labels.csv").write_text(_LABELS, encoding="utf-8")
        Path("sweep.yaml").write_text(_SWEEP, encoding="utf-8")
        Path("clips.csv").write_text("file,text\nRain/rain0.flac,rain\nno.flac,nothing\n", encoding="utf-8")
        Path("clips").mkdir()
        shutil.copy("corpus/Bark/dog_bark0.flac", "clips/YAAAAAAAAAAA.flac")
        Path("corpus/Bark/broken.wav").unlink()
        for name, words in RUNS.items():
            try:
                yield name, dplass(*map(str, words))
            except AssertionError as error:  # of this verb; others are looked at all the same
                yield name, error


def shape(value: Any, key: str = "") -> Any:
    """The keys of a JSON value, and the kinds of its leaves; of a list and of a map, what all elements have."""
    if isinstance(value, dict) and key not in MAPS:
        return {name: shape(inner, name) for name, inner in value.items()}
    if isinstance(value, (dict, list)):
        elements = value.values() if isinstance(value, dict) else value
        merged: Any = None
        for element in elements:
            merged = _both(merged, shape(element, key if key in NESTED else ""))
        return {ANY: merged} if isinstance(value, dict) else [merged]
    return _kind(value)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "yes or no", str: "text"}.get(type(value), "number")


def _both(first: Any, second: Any) -> Any:
    """What both have; where they are of different kinds, all kinds."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: _both(first[key], second[key]) for key in first if key in second}
    if isinstance(first, list) and isinstance(second, list):
        return [_both(first[0], second[0])]
    if isinstance(first, str) and isinstance(second, str):
        return " | ".join(sorted({*first.split(" | "), *second.split(" | ")}))
    return first if second == "null" else second if first == "null" else "mixed"


def lost_in_json(frozen: Any, now: Any, where: str) -> Iterator[str]:
    """Keys and kinds of values that were there and are there no more; more keys are welcome."""
    if frozen in (None, "null", "mixed") or now is None:
        return  # of an empty list or map, or of nothing: anything may come
    if isinstance(frozen, dict) and isinstance(now, dict):
        for key, inner in frozen.items():
            if key in now:
                yield from lost_in_json(inner, now[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is gone"
    elif isinstance(frozen, list) and isinstance(now, list):
        yield from lost_in_json(frozen[0], now[0], f"{where}[]")
    elif isinstance(frozen, str) and isinstance(now, str):
        more = {*now.split(" | ")} - {*frozen.split(" | ")}
        if more:
            yield f"{where} was {frozen}, is {now}"
    else:
        yield f"{where} was {_called(frozen)}, is {_called(now)}"


def _called(shape: Any) -> str:
    return {dict: "an object", list: "a list"}.get(type(shape), str(shape))
