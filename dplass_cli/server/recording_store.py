"""Uploaded recordings that jobs can be made of, each in a folder of its own until nobody has used it for a while."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.audio.reading import AudioInfo
from dplass_cli.errors import DplassError, RunError

_MAX_RECORDINGS = 32


class QueueFull(RunError):
    """The server already holds as many jobs or uploads as it may."""


class RecordingNotFound(DplassError, KeyError):
    """There is no such recording: it never existed, was dropped, or has expired."""

    def __str__(self) -> str:
        return "no such recording: it has expired; send it again"


@dataclass(eq=False)
class StoredRecording:
    """An uploaded recording.

    Attributes:
        id: random and unguessable.
        folder: contains its file.
        name: as the client calls it; it is never used as a path.
        info: its header.
        last_used: when a client last asked about it, in seconds of the store's clock.
    """

    id: str
    folder: Path
    name: str = ""
    info: AudioInfo | None = None
    last_used: float = 0.0

    @property
    def upload(self) -> Path:
        """The recording as it was sent. It has no suffix: its content determines the format."""
        return self.folder / "upload"

    def link_to(self, path: Path) -> None:
        """Give its file a second name, which remains when the recording is dropped; RecordingNotFound if it was."""
        try:
            os.link(self.upload, path)
        except FileNotFoundError as error:
            raise RecordingNotFound from error
        except OSError:  # a file system without hard links
            shutil.copyfile(self.upload, path)


@contextlib.contextmanager
def new_folder(parent: Path) -> Iterator[Path]:
    """Create a folder with a random, unguessable name; it is removed if the block ends with an error."""
    folder = parent / secrets.token_urlsafe(16)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class RecordingStore:
    """Holds uploaded recordings.

    Args:
        folder: contains the folders of the recordings.
        max_uploads: how many may be uploaded at a time.
        keep_seconds: how long a recording is kept after a client last asked about it.
        clock: seconds.
    """

    def __init__(self, folder: Path, max_uploads: int, keep_seconds: float, clock: Callable[[], float]) -> None:
        self._folder, self._max_uploads, self._keep_seconds, self._clock = folder, max_uploads, keep_seconds, clock
        self._recordings: dict[str, StoredRecording] = {}
        self._uploading = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def admit(self) -> Iterator[StoredRecording]:
        """Reserve a place during an upload; the recording is kept when the block ends without an error.

        Raises:
            QueueFull: too many recordings are being uploaded.
        """
        with self._lock:
            if self._uploading >= self._max_uploads:
                raise QueueFull("too many recordings are being uploaded; try again in a minute")
            self._folder.mkdir(mode=0o700, exist_ok=True)  # the system may have cleaned up its temporary files
            self._uploading += 1
        try:
            with new_folder(self._folder) as folder:
                recording = StoredRecording(folder.name, folder)
                yield recording
                with self._lock:
                    recording.last_used = self._clock()
                    self._recordings[recording.id] = recording
        finally:
            with self._lock:
                self._uploading -= 1

    def find(self, recording_id: str) -> StoredRecording:
        """The recording of an id, or RecordingNotFound; asking for it postpones its expiry."""
        with self._lock:
            recording = self._recordings.get(recording_id)
            if recording is None:
                raise RecordingNotFound
            recording.last_used = self._clock()
            return recording

    def drop(self, recording_id: str) -> None:
        """Remove a recording and its file, or raise RecordingNotFound. Jobs made of it are not affected."""
        with self._lock:
            recording = self._recordings.pop(recording_id, None)
        if recording is None:
            raise RecordingNotFound
        shutil.rmtree(recording.folder, ignore_errors=True)

    def expire(self) -> None:
        """Drop the recordings that no client has asked about for too long, and the oldest beyond 32."""
        with self._lock:
            by_age = sorted(self._recordings.values(), key=lambda recording: recording.last_used)
            latest = self._clock() - self._keep_seconds
            excess = len(by_age) - _MAX_RECORDINGS
            expired = [r for place, r in enumerate(by_age) if r.last_used < latest or place < excess]
        for recording in expired:
            with contextlib.suppress(RecordingNotFound):  # dropped meanwhile
                self.drop(recording.id)
