"""What to do next in a folder, judged by its files: what ``dplass`` without a verb prints.

Only names and the first bytes of files are read, and no heavy library is imported, so the answer comes at once.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dplass_cli.training.workspace import FINISHED

_AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"}
_MAX_ENTRIES = 1000  # per folder; a larger folder is a corpus, which its first files show as well
_DEPTH = 3  # finds demo/evaluation/results
_HEAD_BYTES = 400  # enough to recognise a file


@dataclass(frozen=True)
class NextStep:
    """A suggestion.

    Attributes:
        found: what the folder contains, as the end of "Here: …".
        advice: what to do next, as the end of "Next: …".
        commands: the commands for it.
    """

    found: str
    advice: str
    commands: tuple[str, ...]


def next_step(folder: Path) -> NextStep:
    """Suggest the next step in ``folder``. Paths in commands are relative to it."""
    folders = list(_walk(folder))
    # The furthest stage of the chain first; an unfinished training before the adapters that it has written so far.
    stages = (
        _after_evaluation,
        _in_training,
        _after_training,
        _after_partition,
        _after_preparation,
        _with_segment_list,
        _with_recording,
    )
    return next(filter(None, (stage(folder, folders) for stage in stages)), _NOTHING)


_NOTHING = NextStep(
    "no files of dplass yet",
    "try everything on built-in sounds (about five minutes), or separate a recording of your own",
    ("dplass quickstart demo", "dplass separate RECORDING.wav --query 'a dog barking' --output out"),
)


def _walk(folder: Path) -> Iterator[Path]:
    """The folder and its sub-folders, breadth first, down to ``_DEPTH``."""
    level = [folder]
    for _ in range(_DEPTH):
        yield from level
        level = list(islice((path for parent in level for path in _entries(parent) if path.is_dir()), _MAX_ENTRIES))
    yield from level


def _entries(folder: Path) -> list[Path]:
    """The folder's visible entries by name; none if it cannot be read."""
    try:
        return sorted(islice((path for path in folder.iterdir() if not path.name.startswith(".")), _MAX_ENTRIES))
    except OSError:
        return []


def _after_evaluation(folder: Path, folders: list[Path]) -> NextStep | None:
    found = _containing(folders, "results.json", "items.csv")
    if found is None:
        return None
    bank = _containing(folders, "bank.json")
    return NextStep(
        f"{_relative(folder, found)} is an evaluation",
        f"open {_relative(folder, found)}/report.html, compare all evaluations in this folder, or separate a recording",
        (
            "dplass results scan .",
            f"dplass separate RECORDING.wav --query 'a dog barking'{_adapters(folder, bank)} --output out",
        ),
    )


def _after_training(folder: Path, folders: list[Path]) -> NextStep | None:
    bank = _containing(folders, "bank.json")
    if bank is None:
        return None
    adapters = _adapters(folder, bank)
    return NextStep(
        f"{_relative(folder, bank)} is a bank of adapters",
        "evaluate it on mixtures that it was not trained on, or separate a recording",
        (
            f"dplass evaluate --metadata-csv MIXTURES.csv --audio-dir AUDIO{adapters} --output evaluation",
            f"dplass separate RECORDING.wav --query 'a dog barking'{adapters} --output out",
        ),
    )


def _in_training(folder: Path, folders: list[Path]) -> NextStep | None:
    workspace = _containing([place for place in folders if _is_unfinished(place)], "config.yaml", "checkpoints")
    if workspace is None:
        return None
    partition = _containing(folders, "partition.json")
    data = _relative(folder, partition) if partition else "PARTITION"
    return NextStep(
        f"{_relative(folder, workspace)} is an unfinished training run",
        "resume it with its original settings",
        (f"dplass train --data {data} --workspace {_relative(folder, workspace)} --resume",),
    )


def _after_partition(folder: Path, folders: list[Path]) -> NextStep | None:
    partition = _containing(folders, "partition.json")
    if partition is None:
        return None
    data = _relative(folder, partition)
    return NextStep(
        f"{data} is a partition",
        "check memory, disk and time, then train an adapter for each domain",
        (
            f"dplass doctor --data {data}",
            f"dplass train --data {data} --workspace {'../run' if data == '.' else 'run'}",
        ),
    )


def _after_preparation(folder: Path, folders: list[Path]) -> NextStep | None:
    manifest = _find_file(folder, ".json", lambda text: text.lstrip().startswith("{") and '"data"' in text)
    if manifest is None:
        return None
    name = _relative(folder, manifest)
    return NextStep(
        f"{name} is a manifest", "partition its captions into domains", (f"dplass partition {name} --output partition",)
    )


def _with_segment_list(folder: Path, folders: list[Path]) -> NextStep | None:
    segments = _find_file(folder, ".csv", lambda text: "# YTID" in text)
    if segments is None:
        return None
    labels = folder / "class_labels_indices.csv"
    return NextStep(
        f"{_relative(folder, segments)} is an AudioSet segment list",
        "find its clips and write a training manifest",
        (
            f"dplass prepare-audioset --segments {_relative(folder, segments)} --labels"
            f" {_relative(folder, labels) if labels.is_file() else 'CLASS_LABELS.csv'} --audio-dir AUDIO"
            " --output train.json",
        ),
    )


def _with_recording(folder: Path, folders: list[Path]) -> NextStep | None:
    recording = next((path for path in _entries(folder) if path.suffix.lower() in _AUDIO), None)
    if recording is None:
        return None
    name = _relative(folder, recording)
    return NextStep(
        f"{name} is a recording",
        "separate a sound that you describe",
        (f"dplass separate {name} --query 'a dog barking' --residual --output out",),
    )


def _is_unfinished(workspace: Path) -> bool:
    """Whether a training in this workspace has unfinished jobs."""
    jobs = [path for path in _entries(workspace / "checkpoints") if path.is_dir()]
    if not jobs:
        return not (workspace / "bank" / "bank.json").exists()
    return not all((path / FINISHED).exists() for path in jobs)


def _containing(folders: list[Path], *names: str) -> Path | None:
    """The first folder that contains all of these entries."""
    return next((place for place in folders if all((place / name).exists() for name in names)), None)


def _find_file(folder: Path, suffix: str, recognise: Callable[[str], bool]) -> Path | None:
    """The first file with a suffix whose first bytes are recognised."""
    return next((path for path in _entries(folder) if path.suffix == suffix and recognise(_head(path))), None)


def _head(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:  # a folder of that name, or no permission
        return ""


def _relative(folder: Path, path: Path) -> str:
    """The path relative to the folder, quoted for the shell."""
    return shlex.quote(str(path.relative_to(folder)))


def _adapters(folder: Path, bank: Path | None) -> str:
    """The option that selects a bank, if there is one."""
    return "" if bank is None else f" --adapters {_relative(folder, bank)}"
