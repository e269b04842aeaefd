"""Embeddings on disk: one contiguous array that several processes append to, and that survives kills at any time.

A cache folder has one sub-folder per encoder, named by its fingerprint, with ``vectors.f32`` (float32 rows),
``keys.bin`` (one record per row: the key, a checksum of the vector, a checksum of the record) and ``cache.json``. Rows
are appended under a file lock, vectors before records, so a killed writer leaves at most an overlong tail of one file,
which the next writer truncates. Checksums detect damaged rows, which count as absent and are embedded again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import mmap
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.errors import InputError, some
from dplass_cli.options.embed_options import Identity
from dplass_cli.storage import locked, make_folder, read_json, write_json, writing_to

_log = logging.getLogger(__name__)

_FORMAT = "dplass-embeddings-1"
_RECORD = np.dtype([("key", "<u8", 4), ("vector", "<u8"), ("check", "<u8")])
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93], dtype=np.uint64)

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)

Vectors = npt.NDArray[np.float32]


def embedding_key(*parts: object) -> bytes:
    """Hash whatever identifies an embedding to a key of 32 bytes."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).digest()


class EmbeddingCache:
    """Embeddings of one encoder by key.

    Args:
        folder: the cache folder; the encoder's embeddings are in a sub-folder.
        encoder: the encoder.
        identity: whether keys identify files by ``path`` or ``content``; None keeps that of an existing cache, and is
            ``path`` for a new one.
        writable: whether it is an error if the folder cannot be written, as on a shared read-only disk. Otherwise its
            embeddings are used, and new ones are not kept.

    Attributes:
        identity: whether keys identify files by ``path`` or ``content``.
        hits: number of keys that :meth:`get` has found.
        vectors: all rows, float32 (N, size), memory-mapped; keys that were added twice have two rows.

    Raises:
        InputError: the folder cannot be written although it has to be, or its cache has another identity.
    """

    def __init__(
        self, folder: Path | str, encoder: QueryEncoder, identity: Identity | None = None, writable: bool = False
    ) -> None:
        self.size = encoder.size
        self.folder = Path(folder) / encoder.fingerprint[:16]
        self.hits = 0
        self._vectors, self._keys = self.folder / "vectors.f32", self.folder / "keys.bin"
        header = {
            "format": _FORMAT,
            "encoder": encoder.name,
            "fingerprint": encoder.fingerprint,
            "size": encoder.size,
            "windows": encoder.windows,
        }
        self._read_only, self._empty = False, False
        try:
            with locked(make_folder(self.folder) / "lock"):
                self.identity: Identity = self._settle(header, identity)
        except InputError as error:
            if writable or getattr(error.__cause__, "errno", None) not in _NOT_WRITABLE:
                raise
            _log.info("%s: cannot be written; its embeddings are used, and new ones are not kept", folder)
            self._read_only = True
            self.identity = self._look_up(header, identity)
        self.refresh()

    def __len__(self) -> int:
        return len(self._records)

    def refresh(self) -> None:
        """Include the rows that other processes have added."""
        count = self._complete_rows()
        self._records = np.fromfile(self._keys, _RECORD, count) if count else np.empty(0, _RECORD)
        shape = (count, self.size)
        self.vectors: Vectors = (
            np.memmap(self._vectors, np.float32, "r", shape=shape) if count else np.empty(shape, np.float32)
        )
        intact = _check(self._records) == self._records["check"]
        if not intact.all():
            _log.warning("%s: %d damaged records; these are embedded again", self.folder, int((~intact).sum()))
        rows = np.flatnonzero(intact)
        # Sorted by the first word of the key; of equal keys the last one added is found.
        self._order = rows[np.argsort(self._records["key"][rows, 0], kind="stable")]
        self._first_words = self._records["key"][self._order, 0]

    def find(self, keys: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """The rows of M keys in :attr:`vectors`, int64 (M,); -1 for absent keys."""
        wanted = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 4)
        place = np.searchsorted(self._first_words, wanted[:, 0], side="right") - 1
        rows = np.where(place >= 0, self._order[place] if len(self._order) else -1, -1)
        same = (self._records["key"][rows] == wanted).all(axis=1) if len(self._records) else np.zeros(len(rows), bool)
        return np.where((rows >= 0) & same, rows, -1).astype(np.int64)

    def get(self, keys: Sequence[bytes]) -> list[Vectors | None]:
        """Look up keys: a vector float32 (size,) for each, or None if it is absent or damaged."""
        rows = self.find(keys)
        known = rows >= 0
        vectors = np.array(self.vectors[rows[known]])
        checks = self._records["vector"][rows[known]].tolist()
        found: list[Vectors | None] = [None] * len(rows)
        damaged = 0
        for place, vector, check in zip(np.flatnonzero(known).tolist(), vectors, checks, strict=True):
            if zlib.crc32(vector) == check:
                found[place] = vector
            else:
                damaged += 1
        self._release_pages()
        if damaged:
            _log.warning("%s: %d damaged embeddings are computed again", self.folder, damaged)
        self.hits += sum(vector is not None for vector in found)
        return found

    def _release_pages(self) -> None:
        """Release the mapped pages, or reading all rows would keep the whole file in memory."""
        if isinstance(self.vectors.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # Windows has no madvise
            self.vectors.base.madvise(mmap.MADV_DONTNEED)

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Append M keys and their rows, float32 (M, size), which are on the disk when this returns.

        Raises:
            RunError: the disk is full or failed; rows added before are kept.
        """
        if self._read_only:
            return
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        assert rows.shape == (len(keys), self.size), rows.shape
        records = np.zeros(len(keys), dtype=_RECORD)
        records["key"] = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 4)
        records["vector"] = [zlib.crc32(row.tobytes()) for row in rows]
        records["check"] = _check(records)
        with writing_to(self.folder), locked(self.folder / "lock"):
            count = self._complete_rows()
            _append(self._vectors, count * self.size * 4, rows.tobytes())
            _append(self._keys, count * _RECORD.itemsize, records.tobytes())

    def _complete_rows(self) -> int:
        """The number of rows that are complete in both files."""
        if self._empty:
            return 0
        sizes = self._vectors.stat().st_size // (4 * self.size), self._keys.stat().st_size // _RECORD.itemsize
        return min(sizes)

    def _settle(self, header: dict[str, object], wanted: Identity | None) -> Identity:
        """Create missing files, start over if they belong to another encoder, and return the identity."""
        found, kept = self._found(header, wanted)
        if kept is None:
            if self._vectors.exists():
                _log.warning("%s: damaged or of another format; all embeddings are computed again", self.folder)
            for path in (self._keys, self._vectors):
                path.write_bytes(b"")
            kept = wanted or "path"
        if found != (header := {**header, "identity": kept}):
            write_json(self.folder / "cache.json", header)
        for path in (self._keys, self._vectors):
            path.touch()
        return kept

    def _look_up(self, header: dict[str, object], wanted: Identity | None) -> Identity:
        """The identity of a cache that cannot be written; it counts as empty if it belongs to another encoder."""
        _, kept = self._found(header, wanted)
        self._empty = kept is None or not (self._keys.exists() and self._vectors.exists())
        return kept or wanted or "path"

    def _found(self, header: dict[str, object], wanted: Identity | None) -> tuple[Any, Identity | None]:
        """The cache's description, and its identity; None if there is no cache of this encoder.

        Raises:
            InputError: it identifies files in another way than is wanted, or cannot be read at the moment.
        """
        described = self.folder / "cache.json"
        found: Any = None
        try:
            found = read_json(described) if described.exists() else None
        except InputError as error:
            if isinstance(error.__cause__, OSError):  # unreadable at the moment does not mean damaged
                raise
        # Old caches do not record their identity; the first process that opens one sets it.
        kept = found.get("identity", wanted or "path") if isinstance(found, dict) else None
        if kept not in ("path", "content") or {**found, "identity": kept} != {**header, "identity": kept}:
            return found, None
        if wanted not in (None, kept):
            raise InputError(
                f"{self.folder}: identifies files by {kept}, not by {wanted}; omit the identity, or use another folder"
            )
        return found, "content" if kept == "content" else "path"


def check_encoder(folder: Path | str, encoder: QueryEncoder) -> None:
    """Raise InputError if a cache folder contains embeddings of other encoders, but none of this one."""
    made = {path.parent.name: path for path in sorted(Path(folder).glob("*/cache.json"))}
    if made and encoder.fingerprint[:16] not in made:
        others = [read_json(path) for path in made.values()]
        others = [other if isinstance(other, dict) else {} for other in others]
        known = some(f"{other.get('encoder')} ({str(other.get('fingerprint'))[:12]}…)" for other in others)
        raise InputError(
            f"{folder}: contains embeddings of {known}, none of {encoder.name} ({encoder.fingerprint[:12]}…); give the"
            " --encoder that filled it, or another --cache"
        )


def _append(path: Path, offset: int, content: bytes) -> None:
    """Write at an offset, discard what was after it, and wait for the disk."""
    with open(path, "r+b") as stream:
        stream.truncate(offset)
        stream.seek(offset)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _check(records: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """Checksums of records, (N,); a record of zeros has a nonzero checksum."""
    with np.errstate(over="ignore"):
        mixed: npt.NDArray[np.uint64] = (records["key"] * _FACTORS).sum(axis=1, dtype=np.uint64)
        check: npt.NDArray[np.uint64] = mixed ^ (records["vector"] * _FACTORS[0] + _FACTORS[1])
        return check
