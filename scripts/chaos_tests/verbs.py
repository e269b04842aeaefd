"""The verbs that write files, with the arguments of their runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Verb:
    """A verb that writes files.

    Attributes:
        name: as it is shown.
        arguments: (folder of inputs, output folder) -> arguments of the command line.
        again: arguments to add when the run is repeated after a fault.
        removable: pattern of the inputs that may be removed during a run; empty: none.
        restarts: after an input was missing the verb completes or refuses, so that the next run starts from nothing.
        once: the verb refuses to repeat a completed run.
    """

    name: str
    arguments: Callable[[Path, Path], list[str]]
    again: tuple[str, ...] = ()
    removable: str = ""
    restarts: bool = False
    once: bool = False


def _training(name: str, *settings: str) -> Verb:
    """``train``, which resumes at its last checkpoint; ``settings`` decide how often it saves one."""
    return Verb(
        name,
        lambda inputs, out: [
            *("train", "--data", f"{inputs}/partition", "--workspace", f"{out}/run", "--encoder", "tiny"),
            *("--base-checkpoint", f"{inputs}/base.safetensors", "--device", "cpu"),
            *("--set", "train.batch_size_per_device=2", "--set", "train.num_workers=0", "--set", "train.examples=1"),
            *(word for setting in settings for word in ("--set", setting)),
        ],
        again=("--resume",),
        removable="*.wav",
        restarts=True,
    )


VERBS = (
    Verb(
        "prepare-audioset",
        lambda inputs, out: [
            *("prepare-audioset", "--segments", f"{inputs}/segments.csv", "--labels", f"{inputs}/labels.csv"),
            *("--audio-dir", f"{inputs}/clips", "--output", f"{out}/train.json", "--check", "decode"),
            *("--convert", "16k-mono-flac"),
        ],
        removable="clips/*.wav",
        restarts=True,
    ),
    Verb(
        "prepare",
        lambda inputs, out: [
            *("prepare", "folder", f"{inputs}/kinds", "--output", f"{out}/mine.json", "--check", "decode"),
            *("--convert", "16k-mono-flac"),
        ],
        removable="kinds/*/*.wav",
        restarts=True,
    ),
    Verb(
        "embed",
        lambda inputs, out: ["embed", f"{inputs}/train.json", "--output", str(out)],
        removable="*.wav",
        restarts=True,
    ),
    Verb(
        "partition",
        lambda inputs, out: [
            *("partition", f"{inputs}/train.json", "--output", f"{out}/partition", "--domains", "3"),
            *("--cache", f"{out}/cache", "--set", "val_mixtures=2"),
        ],
        removable="*.wav",
        restarts=True,
    ),
    _training("train", "train.max_epochs=2", "train.save_step_frequency=1"),
    _training("train, by steps", "train.max_steps=5", "train.save_step_frequency=3"),  # ends within an epoch
    Verb(
        "sweep",
        lambda inputs, out: [
            *("sweep", f"{inputs}/sweep.yaml", "--workspace", f"{out}/search", "--seeds", "2", "--domain", "1"),
            *("--data", f"{inputs}/partition", "--base-checkpoint", f"{inputs}/base.safetensors"),
        ],
        removable="*.wav",
        restarts=True,
    ),
    Verb(
        "evaluate",
        lambda inputs, out: [
            *("evaluate", "--metadata-csv", f"{inputs}/mixtures.csv", "--output", f"{out}/results"),
            *("--base-checkpoint", f"{inputs}/base.safetensors", "--encoder", "tiny", "--device", "cpu"),
            *("--adapters", f"{inputs}/bank"),
        ],
        removable="*.wav",
    ),
    Verb(
        "results compare",
        lambda inputs, out: [
            "results",
            "compare",
            f"{inputs}/first",
            f"{inputs}/second",
            "--output",
            f"{out}/comparison",
        ],
        removable="second/items.csv",
    ),
    Verb(
        "separate",
        lambda inputs, out: [
            *("separate", f"{inputs}/clips", "--query", "a dog barking", "--query", "rain", "--residual"),
            *("--output", str(out), "--device", "cpu", "--clip", "scale", "--backend", "torch", "--overwrite"),
        ],
        removable="clips/*.wav",
    ),
    Verb(
        "export",
        lambda inputs, out: [
            "export",
            "--output",
            f"{out}/graph.xml",
            "--base-checkpoint",
            f"{inputs}/base.safetensors",
        ],
    ),
    Verb(
        "adapters import",
        lambda inputs, out: [
            *("adapters", "import", f"{inputs}/cluster0_model.pt", f"{inputs}/cluster1_model.pt"),
            *("--output", f"{out}/bank", "--partition", f"{inputs}/partition"),
            *("--base-checkpoint", f"{inputs}/small.safetensors"),
        ],
        removable="cluster1_model.pt",
        restarts=True,
    ),
    Verb(
        "adapters merge",
        lambda inputs, out: [
            *("adapters", "merge", f"{inputs}/bank/domain0", "--base-checkpoint", f"{inputs}/base.safetensors"),
            *("--output", f"{out}/merged.safetensors"),
        ],
    ),
    Verb(
        "adapters compress",
        lambda inputs, out: [
            *("adapters", "compress", f"{inputs}/bank/domain0", "--base-checkpoint", f"{inputs}/base.safetensors"),
            *("--output", f"{out}/small", "--rank", "2"),
        ],
    ),
    Verb(
        "adapters export",
        lambda inputs, out: [
            *("adapters", "export", f"{inputs}/small_adapter", "--base-checkpoint", f"{inputs}/small.safetensors"),
            *("--output", f"{out}/cluster0_model.pt"),
        ],
    ),
    Verb(
        "weights fetch",
        lambda inputs, out: ["weights", "fetch", "some", "--table", f"{inputs}/weights.yaml", "--output", str(out)],
    ),
    Verb(
        "quickstart",
        lambda inputs, out: [
            *("quickstart", f"{out}/demo", "--device", "cpu"),
            *("--set", "clips=1", "--set", "steps=2", "--set", "mixtures=4"),
        ],
        once=True,
    ),
)
