"""Writing the clips of a manifest into shards: WebDataset tar files, each with a file of its manifest rows.

A folder of shards, on disk or at an address, contains ``clips-000000.tar`` …, ``clips-000000.jsonl`` … (the manifest
rows of the clips in each), ``index.json`` (sizes and hashes; updated after each shard, which is what resuming reads),
and in the end ``manifest.json`` and ``rejects.csv``.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import soundfile

from dplass_cli.data.manifest import Row, row_item, write_items
from dplass_cli.data.prepare.converting import SourceRange, mono_copy
from dplass_cli.errors import InputError, some
from dplass_cli.options.prepare_options import ShardsOptions, check_form
from dplass_cli.options.sizes import bytes_of
from dplass_cli.records import write_rows
from dplass_cli.shards.addresses import address, member_name
from dplass_cli.shards.shard_folder import ShardFolder
from dplass_cli.shards.shard_index import ShardEntry, ShardIndex
from dplass_cli.storage import Progress, no_progress, text_sha256

MANIFEST, REJECTS = "manifest.json", "rejects.csv"
LONGEST = 600.0
"""Seconds of a clip; a shard is read by whole clips, which must fit into memory."""

_READ_AHEAD = 64  # clips
_BLOCK = tarfile.BLOCKSIZE
_ENOUGH = 100  # clips after which the share of unreadable ones is judged


class _Clip(NamedTuple):
    """A clip with the rows of the manifest that describe it."""

    number: int
    source: SourceRange
    rows: tuple[Row, ...]


class _Encoded(NamedTuple):
    """A clip's audio file, or why there is none."""

    clip: _Clip
    content: bytes = b""
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class ShardsResult:
    """Result of :func:`write_shards`.

    Attributes:
        manifest: the manifest of the shards.
        shards: number of shards.
        written: number of them that were written by this run.
        clips: number of clips in them.
        rows: number of rows of the manifest.
        bytes: size of all shards.
        rejected: number of clips that cannot be read; they are in ``rejects.csv``.
    """

    manifest: str
    shards: int
    written: int
    clips: int
    rows: int
    bytes: int
    rejected: int


def write_shards(rows: Sequence[Row], options: ShardsOptions, progress: Progress = no_progress) -> ShardsResult:
    """Write the clips of manifest rows into shards, in random order; complete shards of an earlier run are kept.

    A clip that several rows describe is stored once. The clips are mono, at one sample rate, with 16 bits.

    Raises:
        InputError: the folder contains shards of another manifest or form, or too many clips cannot be read.
        RunError: the disk is full.
    """
    rate, suffix = check_form(options.convert)
    limit = bytes_of(options.size, "--size")
    clips = _ShuffledClips(rows, options.seed)
    source = {
        "rows_sha256": clips.sha256,
        "clips": len(clips),
        **{"form": options.convert, "size": limit, "seed": options.seed},
    }
    with ShardFolder(options.output) as folder:
        index = folder.index(source)
        damaged = folder.damaged(index, contents=options.verify, progress=progress)
        written = 0
        for number, entry in enumerate(index.shards):
            if entry.name in damaged:
                first = sum(shard.clips + shard.rejected for shard in index.shards[:number])
                count = entry.clips + entry.rejected
                encoded = _encoded(clips, range(first, first + count), rate, suffix)
                index = folder.replace(index, number, _write_shard(folder, entry.name, encoded, suffix, rate, None))
                written += 1
        encoded = _encoded(clips, range(index.taken, len(clips)), rate, suffix)
        while index.taken < len(clips):
            name = f"clips-{len(index.shards):06d}.tar"
            index = folder.add(index, _write_shard(folder, name, encoded, suffix, rate, limit))
            written += 1
            progress(index.taken, len(clips), "writing shards")
            _check_rejected(index, options.max_missing, folder)
        if not sum(shard.clips for shard in index.shards):
            raise InputError(f"{options.manifest}: none of its {len(clips):,} clips can be read; check the files")
        count = _write_manifest(folder, index)
        folder.finish(index)
    shards = index.shards
    return ShardsResult(
        address(options.output / MANIFEST),
        len(shards),
        written,
        sum(shard.clips for shard in shards),
        count,
        sum(shard.bytes for shard in shards),
        sum(shard.rejected for shard in shards),
    )


class _ShuffledClips:
    """The distinct clips of manifest rows, in random order, each with its rows."""

    def __init__(self, rows: Sequence[Row], seed: int) -> None:
        self._rows = rows
        numbers: dict[tuple[Path, float, float | None], list[int]] = {}
        digest = hashlib.sha256()
        for number, row in enumerate(rows):
            numbers.setdefault((row.wav, row.start, row.end), []).append(number)
            content = [address(row.wav), row.start, row.end, row.caption, row.labels, row.id]
            if row.weight != 1 or row.source:
                content += [row.weight, row.source]
            digest.update(json.dumps(content).encode())
        self.sha256 = digest.hexdigest()
        self._numbers = list(numbers.values())
        self._order = np.random.default_rng(seed).permutation(len(numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: int) -> _Clip:
        rows = tuple(self._rows[number] for number in self._numbers[self._order[place]])
        return _Clip(place, SourceRange(str(rows[0].wav), rows[0].start, rows[0].end), rows)


def _encoded(clips: _ShuffledClips, places: range, rate: int, suffix: str) -> Iterator[_Encoded]:
    """Encode clips in threads, a few ahead of the consumer, and yield them in order."""
    with ThreadPoolExecutor() as pool:
        pending = (pool.submit(_encode, clips[place], rate, suffix) for place in places)
        waiting = list(itertools.islice(pending, _READ_AHEAD))
        while waiting:
            yield from (encoding.result() for encoding in waiting[: _READ_AHEAD // 2])
            waiting = waiting[_READ_AHEAD // 2 :] + list(itertools.islice(pending, _READ_AHEAD // 2))


def _encode(clip: _Clip, rate: int, suffix: str) -> _Encoded:
    try:
        audio, _ = mono_copy(clip.source, rate)
        if len(audio) > LONGEST * rate:
            raise InputError(
                f"{clip.source.path}: is longer than {LONGEST:g} s; cut it with 'start' and 'end' in the manifest"
            )
    except InputError as error:
        return _Encoded(clip, reason=str(error))
    content = io.BytesIO()
    soundfile.write(content, audio, rate, format=suffix[1:].upper(), subtype="PCM_16")
    return _Encoded(clip, content.getvalue(), len(audio) / rate)


def _write_shard(
    folder: ShardFolder, name: str, encoded: Iterator[_Encoded], suffix: str, rate: int, limit: int | None
) -> ShardEntry:
    """Write a shard of the next clips until it has ``limit`` bytes; None writes all."""
    lines: list[str] = []
    clips = rejected = 0
    with folder.writing(name) as path, open(path, "wb") as file:
        tar = _TarWriter(file)
        for item in encoded:
            if item.reason:
                rejected += 1
                lines.append(json.dumps({"rejected": item.clip.source.path, "reason": item.reason}))
                continue
            clips += 1
            key = f"{item.clip.number:09d}"
            start = tar.add(key + suffix, item.content)
            tar.add(key + ".json", json.dumps(_description(item, rate), ensure_ascii=False).encode(errors="replace"))
            wav = f"{name}/{member_name(key, start, len(item.content), zlib.crc32(item.content), suffix)}"
            for row in item.clip.rows:
                lines.append(json.dumps({**row_item(replace(row, start=0.0, end=None)), "wav": wav}))
            if limit is not None and tar.size >= limit:
                break
        tar.close()
    rows = "".join(line + "\n" for line in lines)
    folder.write_text(f"{Path(name).stem}.jsonl", rows)
    return ShardEntry(name, tar.size, tar.sha256, clips, rejected, text_sha256(rows))


def _description(item: _Encoded, rate: int) -> dict[str, Any]:
    """The JSON next to a clip: what programs that read WebDataset's files expect there."""
    rows = item.clip.rows
    captions = list(dict.fromkeys(row.caption for row in rows))
    described: dict[str, Any] = {"id": rows[0].id, "caption": captions[0]}
    if len(captions) > 1:
        described["captions"] = captions
    if labels := list(dict.fromkeys(label for row in rows for label in row.labels)):
        described["labels"] = labels
    return {**described, "sample_rate": rate, "seconds": round(item.seconds, 6)}


class _TarWriter:
    """Writes members of a tar file one after another; equal members make equal files.

    Attributes:
        size: bytes written.
        sha256: their hash, once closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self.size, self.sha256 = file, hashlib.sha256(), 0, ""

    def add(self, name: str, content: bytes) -> int:
        """Append a member and return the position of its first byte."""
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(content), 0o644
        self._write(header.tobuf(tarfile.USTAR_FORMAT))
        start = self.size
        self._write(content)
        self._write(bytes(-len(content) % _BLOCK))
        return start

    def close(self) -> None:
        self._write(bytes(2 * _BLOCK))
        self.sha256 = self._hash.hexdigest()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)
        self.size += len(content)


def _check_rejected(index: ShardIndex, most: float, folder: ShardFolder) -> None:
    rejected = sum(shard.rejected for shard in index.shards)
    if index.taken >= _ENOUGH and rejected > most * index.taken:
        reasons = (line["reason"] for line in _lines(folder, index) if "reason" in line)
        first = some(itertools.islice(reasons, 3))
        raise InputError(f"{rejected:,} of {index.taken:,} clips cannot be read (--max-missing {most:g}): {first}, …")


def _lines(folder: ShardFolder, index: ShardIndex) -> Iterator[dict[str, Any]]:
    for shard in index.shards:
        for line in folder.read_text(f"{Path(shard.name).stem}.jsonl").splitlines():
            yield json.loads(line)


def _write_manifest(folder: ShardFolder, index: ShardIndex) -> int:
    """Write the manifest of all shards and the table of rejected clips; return the number of rows."""
    rejects: list[dict[str, str]] = []

    def rows() -> Iterable[dict[str, Any]]:
        for line in _lines(folder, index):
            if "rejected" in line:
                rejects.append({"wav": line["rejected"], "reason": line["reason"]})
            else:
                yield {**line, **({"labels": tuple(line["labels"])} if "labels" in line else {})}

    with folder.writing(MANIFEST) as path:
        count = write_items(path, rows())
    with folder.writing(REJECTS) as path:
        write_rows(path, ("wav", "reason"), rejects)
    return count
