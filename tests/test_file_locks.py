"""Locks keep others out, whoever they are, until they are released."""

from __future__ import annotations

import threading
from pathlib import Path

from dplass_cli.file_locks import remove_locked, try_lock, wait_for_lock


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "lock")
    assert first is not None
    assert try_lock(tmp_path / "lock") is None
    first.release()
    second = try_lock(tmp_path / "lock")
    assert second is not None
    second.release()


def test_whoever_waits_gets_the_lock_of_a_removed_file(tmp_path: Path) -> None:
    first = wait_for_lock(tmp_path / "lock")
    entered: list[bool] = []
    waiting = threading.Thread(target=lambda: entered.append(wait_for_lock(tmp_path / "lock").is_locked))
    waiting.start()
    remove_locked(first)
    waiting.join(timeout=30)
    assert entered == [True]
