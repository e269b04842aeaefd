"""Listing and verifying fetched files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.storage import no_progress
from dplass_cli.weights.fetching import WeightsStore, list_entries, verify_files
from dplass_cli.weights.known_files import KnownFile, WeightsEntry

DATA = b"weights"
SHA256 = hashlib.sha256(DATA).hexdigest()
TABLE = {
    "lists": WeightsEntry("w", "l", (KnownFile("a.bin"), KnownFile("b.bin")), url="http://x"),
    "model": WeightsEntry("w", "l", (KnownFile("m.ckpt", sha256=SHA256),), hub="a/b"),
}


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    """A store with one pinned file, and one that is not pinned but whose hash the table knows."""
    store = WeightsStore(tmp_path / "home")
    for key in ("lists/a.bin", "model/m.ckpt"):
        (store.folder / key).parent.mkdir(parents=True)
        (store.folder / key).write_bytes(DATA)
    store.lock.write_text(json.dumps({"files": {"lists/a.bin": {"sha256": SHA256}}}))
    return store


def status(store: WeightsStore, *names: str) -> dict[str, str]:
    verified = verify_files(store, TABLE, names, no_progress)
    return {item.path.name: item.status for item in verified}


def test_pinned_and_present_files_are_verified(store: WeightsStore) -> None:
    assert status(store) == {"a.bin": "ok", "m.ckpt": "ok"}


def test_a_damaged_file_differs(store: WeightsStore) -> None:
    (store.folder / "lists" / "a.bin").write_bytes(DATA[:-1])
    assert status(store) == {"a.bin": "differs", "m.ckpt": "ok"}


def test_a_pinned_file_that_is_gone_is_missing(store: WeightsStore) -> None:
    (store.folder / "lists" / "a.bin").unlink()
    assert status(store)["a.bin"] == "missing"


def test_all_files_of_a_named_entry_are_verified(store: WeightsStore) -> None:
    assert status(store, "lists") == {"a.bin": "ok", "b.bin": "missing"}


def test_a_file_without_any_known_hash_is_not_pinned(store: WeightsStore) -> None:
    store.lock.unlink()
    assert status(store)["a.bin"] == "not pinned"


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no fetched files"):
        status(WeightsStore(tmp_path))


@pytest.mark.parametrize("content", ["[]", '{"files": {"lists/a.bin": {}}}'])
def test_an_invalid_lock_file_is_refused(store: WeightsStore, content: str) -> None:
    store.lock.write_text(content)
    with pytest.raises(InputError, match="not a lock file"):
        status(store)


def test_the_list_says_which_files_are_missing(store: WeightsStore) -> None:
    (store.folder / "model" / "m.ckpt").unlink()
    lists, model = list_entries(store, TABLE)
    assert (lists.folder, lists.missing) == (store.folder / "lists", ("b.bin",))
    assert (model.folder, model.missing) == (None, ("m.ckpt",))
