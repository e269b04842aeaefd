"""The server: its socket, the address that it announces, and its end."""

from __future__ import annotations

import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'dplass[serve]'")

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from dplass_cli.errors import InputError
from dplass_cli.options.serve_options import ServeOptions
from dplass_cli.server import http_server
from dplass_cli.server.http_server import ServerAddress, listen, run_server

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def announced(host: str) -> ServerAddress:
    """Run a server until it has started: what it announces."""
    addresses: list[ServerAddress] = []

    def started(address: ServerAddress) -> None:
        addresses.append(address)
        signal.raise_signal(signal.SIGINT)

    runner: Any = SimpleNamespace(description="no model")
    with listen(host, 0) as listener:
        run_server(listener, runner, ServeOptions(max_waiting=1), started)
    (address,) = addresses
    return address


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"--host 127\.0\.0\.1 --port {port}: cannot listen there \("):
            listen("127.0.0.1", port)


def test_it_announces_its_address_and_ends_on_an_interrupt() -> None:
    address = announced("127.0.0.1")
    assert address.address.startswith("http://127.0.0.1:")
    assert address.local


def test_a_server_on_all_addresses_announces_one_that_browsers_can_open() -> None:
    address = announced("0.0.0.0")
    assert address.address.startswith("http://127.0.0.1:")
    assert not address.local


def test_ipv6_addresses_are_bracketed() -> None:
    try:
        address = announced("::1")
    except InputError:
        pytest.skip("this machine has no IPv6")
    assert address.address.startswith("http://[::1]:")
    assert address.local


def test_its_end_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    announced("127.0.0.1")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def connect(listen: Callable[[ASGIApp], int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Connect to a server that closes idle connections after half a second."""
    monkeypatch.setattr(http_server, "IDLE_SECONDS", 0.5)
    port = listen(PlainTextResponse("hello"))
    opened: list[socket.socket] = []

    def begin() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=20.0))
        return opened[-1]

    yield begin
    for connection in opened:
        connection.close()


def read_response(connection: socket.socket) -> bytes:
    response = b""
    while not response.endswith(b"hello"):
        block = connection.recv(65536)
        assert block, "the connection was closed"
        response += block
    return response


@pytest.mark.parametrize("sent", [b"", REQUEST[:20]], ids=["nothing", "half a head"])
def test_a_connection_without_a_whole_request_is_closed(connect: Callable[[], socket.socket], sent: bytes) -> None:
    connection = connect()
    connection.sendall(sent)
    assert connection.recv(1) == b""


def test_a_connection_that_keeps_asking_stays_open(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    for _ in range(3):
        time.sleep(0.25)
        connection.sendall(REQUEST)
        assert read_response(connection).startswith(b"HTTP/1.1 200")


def test_a_connection_that_stops_within_its_second_request_is_closed(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(REQUEST)
    read_response(connection)
    connection.sendall(REQUEST[:20])
    assert connection.recv(1) == b""
