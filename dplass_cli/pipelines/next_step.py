"""The next sensible step for a folder, by what lies there: what ``dplass`` says when it is asked for nothing.

Only names and the beginnings of small files are looked at, so that the answer comes at once; nothing heavy is imported.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dplass_cli.training.workspace import FINISHED

_AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"}
_ENTRIES = 1000  # of a folder; a folder of more is a corpus, whose first files tell as much
_DEPTH = 3  # demo/evaluation/results
_BEGINNING = 400  # bytes of a file that tell what it is


@dataclass(frozen=True)
class NextStep:
    """What was found, what to do next (as the end of "Next: …"), and the commands for it."""

    found: str
    advice: str
    commands: tuple[str, ...]


def next_step(folder: Path) -> NextStep:
    """Tell the next step for whoever stands in ``folder``; commands name paths as seen from there."""
    places = list(_places(folder))
    steps = (_evaluated, _interrupted, _trained, _partitioned, _prepared, _listed, _recorded)
    return next(filter(None, (step(folder, places) for step in steps)), _NOTHING)


_NOTHING = NextStep(
    "nothing of dplass yet",
    "try everything on built-in sounds (about five minutes), or separate a recording of yours",
    ("dplass quickstart demo", "dplass separate RECORDING.wav --query 'a dog barking' --output out"),
)


def _places(folder: Path) -> Iterator[Path]:
    """The folder and what folders it holds, near ones first, down to where ``quickstart`` below it puts its results."""
    level = [folder]
    for _ in range(_DEPTH):
        yield from level
        level = list(islice((path for place in level for path in _entries(place) if path.is_dir()), _ENTRIES))
    yield from level


def _entries(folder: Path) -> list[Path]:
    """The folder's entries by name, hidden ones left out; none where it may not be read."""
    try:
        return sorted(islice((path for path in folder.iterdir() if not path.name.startswith(".")), _ENTRIES))
    except OSError:
        return []


def _evaluated(folder: Path, places: list[Path]) -> NextStep | None:
    found = _with(places, "results.json", "items.csv")
    if found is None:
        return None
    bank = _with(places, "bank.json")
    return NextStep(
        f"{_from(folder, found)} is an evaluation",
        f"open {_from(folder, found)}/report.html, tabulate all evaluations below this folder, or separate a recording",
        (
            "dplass results scan .",
            f"dplass separate RECORDING.wav --query 'a dog barking'{_bank(folder, bank)} --output out",
        ),
    )


def _trained(folder: Path, places: list[Path]) -> NextStep | None:
    bank = _with(places, "bank.json")
    if bank is None:
        return None
    return NextStep(
        f"{_from(folder, bank)} is a bank of adapters",
        "measure it on mixtures that it was not trained on, or separate a recording",
        (
            f"dplass evaluate --metadata-csv MIXTURES.csv --audio-dir AUDIO{_bank(folder, bank)} --output evaluation",
            f"dplass separate RECORDING.wav --query 'a dog barking'{_bank(folder, bank)} --output out",
        ),
    )


def _interrupted(folder: Path, places: list[Path]) -> NextStep | None:
    workspace = _with([place for place in places if _unfinished(place)], "config.yaml", "checkpoints")
    if workspace is None:
        return None
    partition = _with(places, "partition.json")
    data = _from(folder, partition) if partition else "PARTITION"
    return NextStep(
        f"{_from(folder, workspace)} is a training run that has not ended",
        "go on with it, with the settings that it was begun with",
        (f"dplass train --data {data} --workspace {_from(folder, workspace)} --resume",),
    )


def _partitioned(folder: Path, places: list[Path]) -> NextStep | None:
    partition = _with(places, "partition.json")
    if partition is None:
        return None
    data = _from(folder, partition)
    return NextStep(
        f"{data} is a partition",
        "check what a run needs, then train an adapter for each domain",
        (
            f"dplass doctor --data {data}",
            f"dplass train --data {data} --workspace {'../run' if data == '.' else 'run'}",
        ),
    )


def _prepared(folder: Path, places: list[Path]) -> NextStep | None:
    manifest = _file(folder, ".json", lambda text: text.lstrip().startswith("{") and '"data"' in text)
    if manifest is None:
        return None
    name = _from(folder, manifest)
    return NextStep(f"{name} is a manifest", "find its domains", (f"dplass partition {name} --output partition",))


def _listed(folder: Path, places: list[Path]) -> NextStep | None:
    segments = _file(folder, ".csv", lambda text: "# YTID" in text)
    if segments is None:
        return None
    labels = folder / "class_labels_indices.csv"
    return NextStep(
        f"{_from(folder, segments)} is a list of AudioSet's",
        "find the clips and make a training manifest",
        (
            f"dplass prepare-audioset --segments {_from(folder, segments)} --labels"
            f" {_from(folder, labels) if labels.is_file() else 'CLASS_LABELS.csv'} --audio-dir AUDIO"
            " --output train.json",
        ),
    )


def _recorded(folder: Path, places: list[Path]) -> NextStep | None:
    recording = next((path for path in _entries(folder) if path.suffix.lower() in _AUDIO), None)
    if recording is None:
        return None
    name = _from(folder, recording)
    return NextStep(
        f"{name} is a recording",
        "separate what you describe out of it",
        (f"dplass separate {name} --query 'a dog barking' --residual --output out",),
    )


def _unfinished(workspace: Path) -> bool:
    """Whether what a training began there has not come to its end."""
    begun = [path for path in _entries(workspace / "checkpoints") if path.is_dir()]
    if not begun:
        return not (workspace / "bank" / "bank.json").exists()
    return not all((path / FINISHED).exists() for path in begun)


def _with(places: list[Path], *names: str) -> Path | None:
    """The first place that holds all of these."""
    return next((place for place in places if all((place / name).exists() for name in names)), None)


def _file(folder: Path, suffix: str, told: Callable[[str], bool]) -> Path | None:
    """The first file of a suffix whose beginning tells what it is."""
    return next((path for path in _entries(folder) if path.suffix == suffix and told(_beginning(path))), None)


def _beginning(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_BEGINNING).decode("utf-8", "replace")
    except OSError:  # a folder of that name, or not ours to read
        return ""


def _from(folder: Path, path: Path) -> str:
    """A path as the shell takes it, from the folder."""
    return shlex.quote(str(path.relative_to(folder)))


def _bank(folder: Path, bank: Path | None) -> str:
    return "" if bank is None else f" --adapters {_from(folder, bank)}"
