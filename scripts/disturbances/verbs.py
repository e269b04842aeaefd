"""The verbs that write, as they are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Verb:
    """A verb: its arguments for (inputs, output folder); what is added when it is run again; inputs that may vanish."""

    name: str
    arguments: Callable[[Path, Path], list[str]]
    again: tuple[str, ...] = ()
    vanish: str = ""


VERBS = (
    Verb(
        "prepare-audioset",
        lambda given, out: [
            *("prepare-audioset", "--segments", f"{given}/segments.csv", "--labels", f"{given}/labels.csv"),
            *("--audio-dir", f"{given}/clips", "--output", f"{out}/train.json", "--check", "decode"),
            *("--convert", "16k-mono-flac"),
        ],
        vanish="clips/*.wav",
    ),
    Verb("embed", lambda given, out: ["embed", f"{given}/train.json", "--output", str(out)], vanish="*.wav"),
    Verb(
        "partition",
        lambda given, out: [
            *("partition", f"{given}/train.json", "--output", f"{out}/partition", "--domains", "3"),
            *("--cache", f"{out}/cache", "--set", "val_mixtures=2"),
        ],
        vanish="*.wav",
    ),
    Verb(
        "train",
        lambda given, out: [
            *("train", "--data", f"{given}/partition", "--workspace", f"{out}/run", "--encoder", "tiny"),
            *("--base-checkpoint", f"{given}/base.safetensors", "--max-epochs", "2", "--device", "cpu"),
            *("--set", "train.batch_size_per_device=2", "--set", "train.num_workers=0"),
            *("--set", "train.save_step_frequency=1", "--set", "train.examples=1"),
        ],
        again=("--resume",),
        vanish="*.wav",
    ),
    Verb(
        "evaluate",
        lambda given, out: [
            *("evaluate", "--metadata-csv", f"{given}/mixtures.csv", "--output", f"{out}/results"),
            *("--base-checkpoint", f"{given}/base.safetensors", "--encoder", "tiny", "--device", "cpu"),
            *("--adapters", f"{given}/bank"),
        ],
        vanish="*.wav",
    ),
    Verb(
        "separate",
        lambda given, out: [
            *("separate", f"{given}/clips", "--query", "a dog barking", "--query", "rain", "--residual"),
            *("--output", str(out), "--device", "cpu", "--clip", "scale", "--backend", "torch"),
        ],
        vanish="clips/*.wav",
    ),
    Verb(
        "export",
        lambda given, out: ["export", "--output", f"{out}/graph.xml", "--base-checkpoint", f"{given}/base.safetensors"],
    ),
    Verb(
        "adapters import",
        lambda given, out: [
            *("adapters", "import", f"{given}/cluster0_model.pt", f"{given}/cluster1_model.pt"),
            *("--output", f"{out}/bank", "--partition", f"{given}/partition"),
            *("--base-checkpoint", f"{given}/small.safetensors"),
        ],
        vanish="cluster1_model.pt",
    ),
    Verb(
        "adapters merge",
        lambda given, out: [
            *("adapters", "merge", f"{given}/bank/domain0", "--base-checkpoint", f"{given}/base.safetensors"),
            *("--output", f"{out}/merged.safetensors"),
        ],
    ),
    Verb(
        "adapters export",
        lambda given, out: [
            *("adapters", "export", f"{given}/small_adapter", "--base-checkpoint", f"{given}/small.safetensors"),
            *("--output", f"{out}/cluster0_model.pt"),
        ],
    ),
    Verb(
        "weights fetch",
        lambda given, out: ["weights", "fetch", "some", "--table", f"{given}/weights.yaml", "--output", str(out)],
    ),
    Verb(
        "quickstart",
        lambda given, out: [
            *("quickstart", f"{out}/demo", "--device", "cpu"),
            *("--set", "clips=1", "--set", "steps=2", "--set", "mixtures=4"),
        ],
    ),
)
