"""MUSDB18's stem files: one ``.stem.mp4`` per song, with the mixture and its sources as audio tracks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from dplass_cli.audio.ffmpeg import measure
from dplass_cli.audio.writing import audio_writer
from dplass_cli.errors import DplassError, InputError
from dplass_cli.storage import Progress, make_folder, no_progress

STEMS = ("mixture", "drums", "bass", "other", "vocals")
"""The tracks of a stem file in their order, as MUSDB18 documents it (https://doi.org/10.5281/zenodo.1117372)."""

SUFFIX = ".stem.mp4"
_BLOCK_SECONDS = 10


def stem_files(folder: Path, split: str) -> list[Path]:
    """The stem files below a folder, in order; with a split, those below a folder of that name."""
    found = sorted(folder.rglob(f"*{SUFFIX}"))
    return [path for path in found if not split or split in path.relative_to(folder).parts[:-1]]


def add_missing_stems(records: pd.DataFrame, stems: Collection[str]) -> pd.DataFrame:
    """Add a record without a file for each stem that a song lacks; a song is a folder with a mixture.

    Args:
        records: one per audio file, as :func:`~dplass_cli.data.prepare.corpus_reader.file_records` returns them.
        stems: the names of those that each song should have.
    """
    songs = records["path"].str.rpartition("/")[0]
    found = set(zip(songs, records["stem"], strict=True))
    absent = [
        {**record, "path": f"{song}/{name}" if song else name, "stem": name, "file": None}
        for song, record in zip(songs, records.to_dict("records"), strict=True)
        if record["stem"] == STEMS[0]
        for name in stems
        if (song, name) not in found
    ]
    added = pd.DataFrame(absent, columns=records.columns, dtype=object)
    return pd.concat([records, added], ignore_index=True) if absent else records


def unpack_stems(files: Sequence[Path], root: Path, output: Path, progress: Progress = no_progress) -> None:
    """Write the tracks of stem files as wav: ``output/train/SONG/vocals.wav``; what exists already is kept.

    ``root`` is the folder that the parts of the corpus, such as ``train``, are in.

    Raises:
        InputError: a file cannot be decoded, or has fewer tracks than there are stems.
    """
    for number, path in enumerate(files):
        progress(number, len(files), f"unpacking {path.name}")
        song = output / path.relative_to(root).parent / path.name.removesuffix(SUFFIX)
        make_folder(song)
        for track, stem in enumerate(STEMS):
            if not (song / f"{stem}.wav").exists():
                _write_track(path, track, song / f"{stem}.wav")
    progress(len(files), len(files), "unpacking")


def _write_track(path: Path, track: int, output: Path) -> None:
    try:
        source = measure(path, track)
    except DplassError as error:
        raise InputError(f"{error} (stem {STEMS[track]!r} of {len(STEMS)})") from error
    info = source.info
    block = _BLOCK_SECONDS * info.sample_rate
    with source.open() as read, audio_writer(output, info.sample_rate, info.channels, "PCM_16", info.frames) as write:
        for _ in range(0, info.frames, block):
            write(read(block))
