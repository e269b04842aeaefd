"""What to do next in the working folder, judged by its files: what ``dplass`` without a verb prints.

Only names and the first bytes of files are read, and no heavy library is imported, so the answer comes at once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dplass_cli.training.workspace import FINISHED

_AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"}
_MAX_ENTRIES = 1000  # per folder; a larger folder is a corpus, which its first files show as well
_DEPTH = 3  # finds demo/evaluation/results
_HEAD_BYTES = 400  # enough to recognise a file
_LABELS = Path("class_labels_indices.csv")


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


def next_step() -> NextStep:
    """Suggest the next step in the working folder."""
    # The furthest stage of the chain comes first.
    return _after_preparation(list(_walk())) or _at_the_beginning()


def _after_preparation(folders: list[Path]) -> NextStep | None:
    def containing(*names: str) -> str:
        places = (place for place in folders if all((place / name).exists() for name in names))
        return _quoted(next(places, None))

    bank, partition = containing("bank.json"), containing("partition.json")
    adapters = f" --adapters {bank}" if bank else ""
    separate = f"dplass separate RECORDING.wav --query 'a dog barking'{adapters} --output out"
    if evaluation := containing("results.json", "items.csv"):
        return NextStep(
            f"{evaluation} is an evaluation",
            f"open {evaluation}/report.html, compare all evaluations in this folder, or separate a recording",
            ("dplass results scan .", separate),
        )
    # Before the bank, which contains the adapters that an unfinished run has written so far.
    unfinished = next(filter(_is_unfinished_run, folders), None)
    if unfinished is not None:
        run = _quoted(unfinished)
        return NextStep(
            f"{run} is an unfinished training run",
            "resume it with its original settings",
            (f"dplass train {_trained_data(unfinished, partition)} --workspace {run} --resume",),
        )
    if bank:
        return NextStep(
            f"{bank} is a bank of adapters",
            "evaluate it on mixtures that it was not trained on, or separate a recording",
            (f"dplass evaluate --metadata-csv MIXTURES.csv --audio-dir AUDIO{adapters} --output evaluation", separate),
        )
    if partition:
        return NextStep(
            f"{partition} is a partition",
            "check memory, disk and time, then train an adapter for each domain",
            (
                f"dplass doctor --data {partition}",
                f"dplass train --data {partition} --workspace {'../run' if partition == '.' else 'run'}",
            ),
        )
    return None


def _at_the_beginning() -> NextStep:
    files = _entries(Path())
    manifests = (path for path in files if path.suffix == ".json" and re.match(r'\s*{.*"data"', _head(path), re.DOTALL))
    if manifest := _quoted(next(manifests, None)):
        command = f"dplass partition {manifest} --output partition"
        return NextStep(f"{manifest} is a manifest", "partition its captions into domains", (command,))
    lists = (path for path in files if path.suffix == ".csv" and "# YTID" in _head(path))
    if segments := _quoted(next(lists, None)):
        labels = _LABELS if _LABELS.is_file() else "CLASS_LABELS.csv"
        return NextStep(
            f"{segments} is an AudioSet segment list",
            "find its clips and write a training manifest",
            (f"dplass prepare-audioset --segments {segments} --labels {labels} --audio-dir AUDIO --output train.json",),
        )
    recordings = (path for path in files if path.suffix.lower() in _AUDIO)
    if recording := _quoted(next(recordings, None)):
        command = f"dplass separate {recording} --query 'a dog barking' --residual --output out"
        return NextStep(f"{recording} is a recording", "separate a sound that you describe", (command,))
    return NextStep(
        "no files of dplass yet",
        "try everything on built-in sounds (about five minutes), or separate a recording of your own",
        ("dplass quickstart demo", "dplass separate RECORDING.wav --query 'a dog barking' --output out"),
    )


def _walk() -> Iterator[Path]:
    """The working folder and its sub-folders, breadth first, down to ``_DEPTH``."""
    level = [Path()]
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


def _trained_data(run: Path, partition: str) -> str:
    """What an unfinished run trains, and on which data, as options of ``train``."""
    if (run / "checkpoints" / "encoder").is_dir():
        return "--what encoder --data MANIFEST"
    return f"--data {partition or 'PARTITION'}"


def _is_unfinished_run(folder: Path) -> bool:
    """Whether a folder is a training workspace with unfinished jobs."""
    if not (folder / "config.yaml").exists() or not (folder / "checkpoints").exists():
        return False
    jobs = [path for path in _entries(folder / "checkpoints") if path.is_dir()]
    if not jobs:
        return not (folder / "bank" / "bank.json").exists()
    return not all((path / FINISHED).exists() for path in jobs)


def _head(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:  # a folder of that name, or no permission
        return ""


def _quoted(path: Path | None) -> str:
    """A path for the shell; empty if there is none."""
    return "" if path is None else shlex.quote(str(path))
