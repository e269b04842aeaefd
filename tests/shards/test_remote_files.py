from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import pytest
from file_server import FileServer

from dplass_cli.shards import remote_files
from dplass_cli.shards.remote_files import (
    NoRemoteFile,
    RemoteFileError,
    download,
    file_size,
    read_range,
    read_remote_text,
    remote_sha256,
    upload,
)
from dplass_cli.storage import file_sha256

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def path(server: FileServer) -> Path:
    server.files["/a.bin"] = CONTENT
    return Path(f"{server.url}/a.bin")


def test_a_range_is_read_with_one_request(server: FileServer, path: Path) -> None:
    assert read_range(path, 100, 300) == CONTENT[100:300]
    assert server.requests["/a.bin"] == 1
    assert server.sent["/a.bin"] == 200


def test_a_cut_connection_is_tried_again(server: FileServer, path: Path) -> None:
    server.cut["/a.bin"] = 2
    assert read_range(path, 0, 1000) == CONTENT[:1000]
    assert server.requests["/a.bin"] == 3


def test_a_connection_that_is_always_cut_is_an_error(server: FileServer, path: Path) -> None:
    server.cut["/a.bin"] = 99
    with pytest.raises(RemoteFileError, match=rf"^{server.url}/a.bin: .*; check the connection and run again$"):
        read_range(path, 0, 1000)
    assert server.requests["/a.bin"] == remote_files.TRIES


def test_a_slow_server_is_named_as_such(server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_files, "TIMEOUT", 0.05)
    monkeypatch.setattr(remote_files, "TRIES", 2)
    server.stall["/a.bin"] = 0.3
    with pytest.raises(RemoteFileError, match=r"the server is too slow: no answer within 0\.05 s"):
        read_range(path, 0, 10)


def test_a_missing_file_is_not_tried_again(server: FileServer) -> None:
    with pytest.raises(NoRemoteFile, match="no such file; check the address"):
        read_range(Path(f"{server.url}/b.bin"), 0, 10)


def test_a_refusal_is_not_tried_again(server: FileServer, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.refuse["/a.bin"] = 403
    with (
        caplog.at_level(logging.INFO, remote_files.__name__),
        pytest.raises(RemoteFileError, match="the server answers 403"),
    ):
        read_range(path, 0, 10)
    assert "trying again" not in caplog.text


def test_a_busy_server_is_tried_again(server: FileServer, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.refuse["/a.bin"] = 503
    with (
        caplog.at_level(logging.INFO, remote_files.__name__),
        pytest.raises(RemoteFileError, match="the server answers 503"),
    ):
        read_range(path, 0, 10)
    assert "trying again" in caplog.text


def test_a_download_continues_what_is_there(
    server: FileServer, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_files, "CHUNK", 4096)
    target = tmp_path / "a.part"
    target.write_bytes(CONTENT[:5000])
    download(path, target, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.sent["/a.bin"] == len(CONTENT) - 5000


def test_a_download_keeps_what_arrived(
    server: FileServer, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_files, "CHUNK", 4096)
    reported: list[int] = []

    def fail_later(done: int, total: int, what: str) -> None:
        reported.append(done)
        server.cut["/a.bin"] = 99

    with pytest.raises(RemoteFileError):
        download(path, tmp_path / "a.part", len(CONTENT), fail_later)
    assert reported == [4096]
    assert (tmp_path / "a.part").stat().st_size == 4096


def test_size_and_hash_of_a_remote_file(server: FileServer, path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert file_size(path) == file_size(tmp_path / "a.bin") == len(CONTENT)
    assert remote_sha256(path, len(CONTENT)) == file_sha256(tmp_path / "a.bin")
    assert file_size(Path(f"{server.url}/b.bin")) is None
    assert file_size(tmp_path / "b.bin") is None


def test_text_that_is_not_utf_8_is_an_error(server: FileServer, path: Path) -> None:
    with pytest.raises(RemoteFileError, match=r"not UTF-8 text \(byte 128\)"):
        read_remote_text(path)


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs is installed")
def test_the_extra_of_a_file_system_is_named() -> None:
    with pytest.raises(RemoteFileError, match=r"^s3://bucket/a: s3:// cannot be .* pip install 'dplass\[buckets\]'$"):
        read_range(Path("s3://bucket/a"), 0, 10)


def test_an_unknown_scheme_is_an_error() -> None:
    with pytest.raises(
        RemoteFileError, match=r"^nosuch://bucket/a: .*; use a folder, s3://, gs://, hf:// or https://$"
    ):
        read_range(Path("nosuch://bucket/a"), 0, 10)


def test_a_file_is_written_where_the_file_system_allows_it(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    upload(tmp_path / "a.bin", Path("memory://uploads/a.bin"))
    assert read_range(Path("memory://uploads/a.bin"), 0, 256) == CONTENT[:256]


def test_a_web_server_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    with pytest.raises(RemoteFileError):
        upload(tmp_path / "a.bin", Path(f"{server.url}/b.bin"))
