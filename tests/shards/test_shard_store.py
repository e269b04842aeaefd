from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from file_server import FileServer

from dplass_cli.data.manifest import read_manifest
from dplass_cli.errors import InputError, RunError
from dplass_cli.shards import remote_files, shard_store
from dplass_cli.shards.addresses import ShardMember, member_of
from dplass_cli.shards.shard_store import ShardError, ShardStore

SHARD = 54784  # bytes


@pytest.fixture
def members(shard_folder: Path, server: FileServer) -> list[ShardMember]:
    """The clips of the shards at the server's address."""
    place = server.serve(shard_folder, f"shards-{server.url[-5:]}")
    found = [member_of(row.wav) for row in read_manifest(place / "manifest.json")]
    server.requests.clear()
    return [member for member in found if member is not None]


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "cache", 10 * SHARD)


def on_server(member: ShardMember) -> str:
    return "/" + "/".join(member.shard.parts[-2:])


def local_bytes(shard_folder: Path, member: ShardMember) -> bytes:
    return (shard_folder / member.shard.name).read_bytes()[member.start : member.start + member.size]


def fetched(store: ShardStore) -> list[str]:
    return sorted(path.name[:12] for path in store.folder.glob("*/*.tar"))


def wait_for(condition: object) -> None:
    for _ in range(500):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.01)
    raise AssertionError("did not happen within 5 s")


def test_a_clip_of_a_local_shard_is_read_in_place(shard_folder: Path, tmp_path: Path) -> None:
    row = read_manifest(shard_folder / "manifest.json")[0]
    member = member_of(row.wav)
    assert member is not None
    store = ShardStore(tmp_path / "cache", 1)
    assert store.read(member) == local_bytes(shard_folder, member)
    assert not (tmp_path / "cache").exists()


def test_a_single_clip_is_fetched_alone(
    store: ShardStore, members: list[ShardMember], server: FileServer, shard_folder: Path
) -> None:
    assert store.read(members[4]) == local_bytes(shard_folder, members[4])
    assert server.requests[on_server(members[4])] == 1
    assert server.sent[on_server(members[4])] == members[4].size
    assert fetched(store) == []


def test_an_expected_shard_is_fetched_once(
    store: ShardStore, members: list[ShardMember], server: FileServer, shard_folder: Path
) -> None:
    store.expect([members[0].shard])
    for member in members[:3]:
        assert store.read(member) == local_bytes(shard_folder, member)
    assert server.requests[on_server(members[0])] == 1
    assert fetched(store) == ["clips-000000"]


def test_expected_shards_are_fetched_ahead(store: ShardStore, members: list[ShardMember]) -> None:
    store.expect(dict.fromkeys(member.shard for member in members))
    wait_for(lambda: len(fetched(store)) == 4)


def test_readers_in_several_threads_share_one_fetch(
    store: ShardStore, members: list[ShardMember], server: FileServer
) -> None:
    server.stall[on_server(members[0])] = 0.1
    store.expect([members[0].shard])
    threads = [threading.Thread(target=store.read, args=(member,)) for member in members[:3]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.requests[on_server(members[0])] == 1


def test_the_copies_used_longest_ago_make_room(tmp_path: Path, members: list[ShardMember]) -> None:
    store = ShardStore(tmp_path / "cache", 2 * SHARD)
    for member in members[::3]:
        store.expect([member.shard])
        store.read(member)
        wait_for(lambda name=member.shard.stem: name in fetched(store))
        assert len(fetched(store)) <= 2
        time.sleep(0.01)
    assert fetched(store) == ["clips-000002", "clips-000003"]


def test_a_shard_larger_than_the_limit_is_read_clip_by_clip(
    tmp_path: Path, members: list[ShardMember], shard_folder: Path
) -> None:
    store = ShardStore(tmp_path / "cache", SHARD - 1)
    store.expect([members[0].shard])
    assert store.read(members[0]) == local_bytes(shard_folder, members[0])
    assert fetched(store) == []


def test_a_cut_connection_costs_one_range(
    store: ShardStore, members: list[ShardMember], server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_files, "CHUNK", SHARD // 4)
    server.cut[on_server(members[0])] = 1
    store.expect([members[0].shard])
    store.read(members[0])
    assert server.requests[on_server(members[0])] == 5
    assert server.sent[on_server(members[0])] == SHARD


def test_bytes_that_arrive_damaged_are_fetched_again(
    store: ShardStore, members: list[ShardMember], server: FileServer, shard_folder: Path
) -> None:
    server.corrupt[on_server(members[0])] = 1
    store.expect([members[0].shard])
    assert store.read(members[0]) == local_bytes(shard_folder, members[0])
    assert server.requests[on_server(members[0])] == 2


def test_a_shard_that_differs_from_the_index_is_named(
    store: ShardStore, members: list[ShardMember], server: FileServer
) -> None:
    server.corrupt[on_server(members[0])] = 99
    store.expect([members[0].shard])
    with pytest.raises(ShardError, match=r"clips-000000\.tar: its checksum differs from the index") as caught:
        store.read(members[0])
    assert caught.value.shard == members[0].shard
    assert fetched(store) == []


def test_a_missing_shard_is_named_and_asked_for_once(
    store: ShardStore, members: list[ShardMember], server: FileServer
) -> None:
    del server.files[on_server(members[0])]
    for member in members[:3]:
        with pytest.raises(ShardError, match=r"clips-000000\.tar: no such file"):
            store.read(member)
    assert [error.shard for error in store.failures()] == [members[0].shard]


def test_a_missing_shard_on_disk_is_named(store: ShardStore, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"clips-000007\.tar: no such shard; restore it"):
        store.read(ShardMember(tmp_path / "clips-000007.tar", 512, 100, 0))


def test_a_shard_that_failed_is_tried_again_later(
    store: ShardStore, members: list[ShardMember], server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_store, "RETRY_SECONDS", 0.0)
    content = server.files.pop(on_server(members[0]))
    with pytest.raises(ShardError):
        store.read(members[0])
    server.files[on_server(members[0])] = content
    store.read(members[0])


def test_too_many_failing_shards_end_the_run(
    store: ShardStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_store, "MAX_FAILED_SHARDS", 2)
    for number in range(2):
        with pytest.raises(ShardError):
            store.read(ShardMember(tmp_path / f"clips-{number}.tar", 512, 100, 0))
    with pytest.raises(RunError, match="3 shards cannot be read, the last: "):
        store.read(ShardMember(tmp_path / "clips-2.tar", 512, 100, 0))


def test_damaged_bytes_of_a_clip_are_noticed(shard_folder: Path, tmp_path: Path) -> None:
    member = member_of(read_manifest(shard_folder / "manifest.json")[0].wav)
    assert member is not None
    content = bytearray(member.shard.read_bytes())
    content[member.start + 1000] ^= 1
    (tmp_path / "clips.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"clips\.tar: the clip at byte 512 is damaged \(its checksum differs\)"):
        ShardStore(tmp_path, 1).read(member._replace(shard=tmp_path / "clips.tar"))


def test_a_clip_too_large_for_memory_is_refused(store: ShardStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the limit is"):
        store.read(ShardMember(tmp_path / "clips.tar", 512, 1 << 40, 0))


def test_copies_that_are_arriving_count_towards_the_limit(tmp_path: Path, members: list[ShardMember]) -> None:
    store = ShardStore(tmp_path / "cache", 2 * SHARD)
    store.expect([members[0].shard])
    store.read(members[0])
    arriving = next(store.folder.glob("*/*.tar")).parent / f"clips-000009-0.{SHARD}.part"
    arriving.touch()
    store.expect([members[3].shard])
    store.read(members[3])
    assert fetched(store) == ["clips-000001"]
    assert arriving.exists()


def test_a_partial_copy_of_a_killed_process_makes_room(tmp_path: Path, members: list[ShardMember]) -> None:
    store = ShardStore(tmp_path / "cache", 2 * SHARD)
    store.expect([members[0].shard])
    store.read(members[0])
    abandoned = next(store.folder.glob("*/*.tar")).parent / f"clips-000009-0.{SHARD}.part"
    abandoned.touch()
    os.utime(abandoned, (0, 0))
    store.expect([members[3].shard])
    store.read(members[3])
    assert fetched(store) == ["clips-000000", "clips-000001"]
    assert not abandoned.exists()
