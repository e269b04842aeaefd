"""Finding audio files in folders, in the same way for all commands."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dplass_cli.errors import InputError, some
from dplass_cli.file_names import with_slashes
from dplass_cli.storage import require_folder

_log = logging.getLogger(__name__)

SNDFILE_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".opus", ".mp3", ".oga", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64"),
    *(".rf64", ".bw64", ".wave", ".wavex", ".bwf", ".avr", ".htk", ".iff", ".svx", ".8svx", ".ircam", ".sf", ".mat4"),
    *(".mat5", ".mp1", ".mp2", ".mpc2k", ".nist", ".sph", ".paf", ".pvf", ".sd2", ".sds", ".voc", ".wve", ".xi"),
)
"""Suffixes of the formats that libsndfile reads, in lower case; RAW, which has no header, is left out."""

FFMPEG_SUFFIXES = (
    *(".m4a", ".m4b", ".m4r", ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".aac", ".adts", ".ac3", ".eac3", ".amr", ".awb"),
    *(".mka", ".mkv", ".webm", ".wma", ".wmv", ".asf", ".ogv", ".m2ts"),
)
"""Suffixes of the formats that FFmpeg reads, in lower case; of videos, their sound."""

READABLE = (*SNDFILE_SUFFIXES, *FFMPEG_SUFFIXES)

UNSUPPORTED = (
    *(".dts", ".alac", ".avi", ".flv", ".mpg", ".mpeg", ".ape", ".wv", ".tta", ".tak", ".mpc", ".spx", ".ra", ".rm"),
    *(".dsf", ".dff", ".gsm"),
)
"""Suffixes of other audio and of other videos: never skipped without a reason."""

SUFFIXES = (*READABLE, *UNSUPPORTED)
"""Suffixes of all that looks like audio."""


def walk_folders(folders: Iterable[Path | str], output: Path | None = None) -> Iterator[str]:
    """Yield the absolute paths of all files below the folders, sorted by name within each folder.

    Symbolic links are followed, and each folder is visited once. Hidden files and folders are skipped; temporary files
    of a killed run are hidden. So is ``output``, the folder of the results, where it lies inside one of the folders:
    what an earlier run wrote is not an input. InputError if a folder is missing or cannot be read.
    """
    folders = list(folders)
    seen = set() if output is None else {os.path.realpath(output)} - set(map(os.path.realpath, folders))
    for top in folders:
        for folder, subfolders, names in os.walk(os.path.abspath(top), followlinks=True, onerror=_unreadable_folder):
            real = os.path.realpath(folder)
            if real in seen:  # listed twice, or a link to a parent
                subfolders.clear()
                continue
            seen.add(real)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            prefix = with_slashes(folder).rstrip("/") + "/"
            yield from (prefix + name for name in sorted(names) if not name.startswith("."))


def _unreadable_folder(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot read this folder ({error.strerror}); check the path") from error


def audio_files(folder: Path, output: Path | None = None) -> tuple[Path, ...]:
    """List the files in a folder and its subfolders that look like audio (:data:`SUFFIXES`), sorted.

    ``output`` is skipped as by :func:`walk_folders`. InputError if there are none.
    """
    require_folder(folder)
    top = os.path.abspath(folder)
    paths = (folder / path[len(top) :].lstrip("/") for path in walk_folders([folder], output))
    found = tuple(sorted(path for path in paths if path.suffix.lower() in SUFFIXES))
    if not found:
        raise InputError(f"{folder}: contains no audio files; give a folder of wav, flac, ogg, mp3 or m4a files")
    return found


def readable_files(folder: Path) -> tuple[Path, ...]:
    """List the files of :func:`audio_files` in formats that can be read; a warning names the others.

    Raises:
        InputError: there are none.
    """
    found = audio_files(folder)
    readable = tuple(path for path in found if path.suffix.lower() in READABLE)
    others = [path.relative_to(folder) for path in found if path.suffix.lower() not in READABLE]
    if not readable:
        raise InputError(f"{folder}: contains no audio in a supported format ({some(others)}); convert it to wav")
    if others:
        _log.warning(
            "%s: left out, since their formats are not supported: %s; convert them to wav", folder, some(others)
        )
    return readable
