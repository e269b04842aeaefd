"""Uploaded recordings: how many there may be, how long they are kept, and that no files are left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.server.recording_store import QueueFull, RecordingNotFound, RecordingStore, StoredRecording


class Clock:
    """A clock that tests set."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> RecordingStore:
    return RecordingStore(tmp_path, max_uploads=2, keep_seconds=100.0, clock=clock)


def add(store: RecordingStore) -> StoredRecording:
    with store.admit() as recording:
        recording.upload.write_bytes(b"sound")
    return recording


def test_a_recording_is_found_until_it_is_dropped(store: RecordingStore, tmp_path: Path) -> None:
    recording = add(store)
    assert store.find(recording.id) is recording
    store.drop(recording.id)
    assert list(tmp_path.iterdir()) == []
    for ask in (store.find, store.drop):
        with pytest.raises(RecordingNotFound, match="no such recording: it has expired; send it again"):
            ask(recording.id)


def test_a_broken_upload_leaves_no_files_and_frees_its_place(store: RecordingStore, tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionError), store.admit():
            raise ConnectionError
    assert list(tmp_path.iterdir()) == []


def test_uploads_at_a_time_are_limited(store: RecordingStore) -> None:
    with (
        store.admit(),
        store.admit(),
        pytest.raises(QueueFull, match="too many recordings are being uploaded"),
        store.admit(),
    ):
        pass


def test_a_recording_expires_after_its_last_use(store: RecordingStore, clock: Clock) -> None:
    used, unused = add(store), add(store)
    clock.seconds = 90.0
    store.find(used.id)
    clock.seconds = 101.0
    store.expire()
    assert (used.folder.exists(), unused.folder.exists()) == (True, False)


def test_of_too_many_recordings_the_least_recently_used_expire(store: RecordingStore, clock: Clock) -> None:
    recordings = []
    for clock.seconds in range(34):
        recordings.append(add(store))
    store.find(recordings[0].id)
    store.expire()
    assert [recording.folder.exists() for recording in recordings[:4]] == [True, False, False, True]
