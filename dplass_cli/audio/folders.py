"""Finding files in folders, in the same way for all commands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import soundfile

from dplass_cli.errors import InputError
from dplass_cli.storage import require_folder


def walk_folders(folders: Iterable[Path | str]) -> Iterator[str]:
    """Yield the absolute paths of all files below the folders, sorted by name within each folder.

    Symbolic links are followed, and each folder is visited once. Hidden files and folders are skipped; temporary files
    of a killed run are hidden. InputError if a folder is missing or cannot be read.
    """
    seen: set[str] = set()
    for top in folders:
        for folder, subfolders, names in os.walk(os.path.abspath(top), followlinks=True, onerror=_unreadable_folder):
            real = os.path.realpath(folder)
            if real in seen:  # listed twice, or a link to a parent
                subfolders.clear()
                continue
            seen.add(real)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            prefix = folder.rstrip("/") + "/"
            yield from (prefix + name for name in sorted(names) if not name.startswith("."))


def _unreadable_folder(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot read this folder ({error.strerror}); check the path") from error


def audio_files(folder: Path) -> tuple[Path, ...]:
    """List the audio files in a folder and its subfolders, by suffix, sorted; InputError if there are none."""
    require_folder(folder)
    suffixes = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"} | {".aif", ".opus"}
    top = os.path.abspath(folder)
    paths = (folder / path[len(top) :].lstrip("/") for path in walk_folders([folder]))
    found = tuple(sorted(path for path in paths if path.suffix.lower() in suffixes and path.is_file()))
    if not found:
        raise InputError(f"{folder}: contains no audio files; give a folder of wav, flac, ogg or mp3 files")
    return found
