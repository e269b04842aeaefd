"""The verbs that write, as they are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Verb:
    """A verb that writes.

    Attributes:
        arguments: for (inputs, output folder). again: what is added when it is run again.
        vanish: inputs that may vanish. done_without: it finishes without one, or refuses, so that running it again is
            another run and not one that goes on.
        once: what it has finished it refuses to do again.
    """

    name: str
    arguments: Callable[[Path, Path], list[str]]
    again: tuple[str, ...] = ()
    vanish: str = ""
    done_without: bool = False
    once: bool = False


def _training(name: str, *settings: str) -> Verb:
    """``train``, resumed from where it was saved: after every step, or after some and at ends of epochs."""
    return Verb(
        name,
        lambda given, out: [
            *("train", "--data", f"{given}/partition", "--workspace", f"{out}/run", "--encoder", "tiny"),
            *("--base-checkpoint", f"{given}/base.safetensors", "--device", "cpu"),
            *("--set", "train.batch_size_per_device=2", "--set", "train.num_workers=0", "--set", "train.examples=1"),
            *(word for setting in settings for word in ("--set", setting)),
        ],
        again=("--resume",),
        vanish="*.wav",
        done_without=True,
    )


VERBS = (
    Verb(
        "prepare-audioset",
        lambda given, out: [
            *("prepare-audioset", "--segments", f"{given}/segments.csv", "--labels", f"{given}/labels.csv"),
            *("--audio-dir", f"{given}/clips", "--output", f"{out}/train.json", "--check", "decode"),
            *("--convert", "16k-mono-flac"),
        ],
        vanish="clips/*.wav",
        done_without=True,
    ),
    Verb(
        "prepare",
        lambda given, out: [
            *("prepare", "folder", f"{given}/kinds", "--output", f"{out}/mine.json", "--check", "decode"),
            *("--convert", "16k-mono-flac"),
        ],
        vanish="kinds/*/*.wav",
        done_without=True,
    ),
    Verb(
        "embed",
        lambda given, out: ["embed", f"{given}/train.json", "--output", str(out)],
        vanish="*.wav",
        done_without=True,
    ),
    Verb(
        "partition",
        lambda given, out: [
            *("partition", f"{given}/train.json", "--output", f"{out}/partition", "--domains", "3"),
            *("--cache", f"{out}/cache", "--set", "val_mixtures=2"),
        ],
        vanish="*.wav",
        done_without=True,
    ),
    _training("train", "train.max_epochs=2", "train.save_step_frequency=1"),
    _training("train, by steps", "train.max_steps=5", "train.save_step_frequency=3"),  # it ends within an epoch
    Verb(
        "sweep",
        lambda given, out: [
            *("sweep", f"{given}/sweep.yaml", "--workspace", f"{out}/search", "--seeds", "2", "--domain", "1"),
            *("--data", f"{given}/partition", "--base-checkpoint", f"{given}/base.safetensors"),
        ],
        vanish="*.wav",
        done_without=True,
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
        "results compare",
        lambda given, out: ["results", "compare", f"{given}/first", f"{given}/second", "--output", f"{out}/comparison"],
        vanish="second/items.csv",
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
        done_without=True,
    ),
    Verb(
        "adapters merge",
        lambda given, out: [
            *("adapters", "merge", f"{given}/bank/domain0", "--base-checkpoint", f"{given}/base.safetensors"),
            *("--output", f"{out}/merged.safetensors"),
        ],
    ),
    Verb(
        "adapters compress",
        lambda given, out: [
            *("adapters", "compress", f"{given}/bank/domain0", "--base-checkpoint", f"{given}/base.safetensors"),
            *("--output", f"{out}/small", "--rank", "2"),
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
        once=True,
    ),
)
