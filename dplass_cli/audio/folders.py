"""Finding files in folders: the one walk that all verbs share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import soundfile

from dplass_cli.errors import InputError
from dplass_cli.storage import require_folder


def walk_folders(folders: Iterable[Path | str]) -> Iterator[str]:
    """Yield the absolute paths of the files under the folders, sorted within each.

    Links are followed; each folder is read once. What is hidden, such as what a killed run left, is passed over.

    Raises:
        InputError: a folder is missing or cannot be read.
    """
    seen: set[str] = set()
    for top in folders:
        for folder, subfolders, names in os.walk(os.path.abspath(top), followlinks=True, onerror=_unreadable_folder):
            place = os.path.realpath(folder)
            if place in seen:  # given twice, or a link that leads back
                subfolders.clear()
                continue
            seen.add(place)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            prefix = folder.rstrip("/") + "/"
            yield from (prefix + name for name in sorted(names) if not name.startswith("."))


def _unreadable_folder(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot read this folder ({error.strerror}); check the path") from error


def audio_files(folder: Path) -> tuple[Path, ...]:
    """The audio files in a folder and below it, by name.

    Raises:
        InputError: no such folder, one that cannot be read, or there are none.
    """
    require_folder(folder)
    endings = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"} | {".aif", ".opus"}
    top = os.path.abspath(folder)
    paths = (folder / path[len(top) :].lstrip("/") for path in walk_folders([folder]))
    found = tuple(sorted(path for path in paths if path.suffix.lower() in endings and path.is_file()))
    if not found:
        raise InputError(f"{folder}: holds no audio files; give a folder of wav, flac, ogg or mp3")
    return found
