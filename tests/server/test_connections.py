"""Connections that do not complete a request in time are closed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("uvicorn", reason="pip install 'dplass[serve]'")

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from dplass_cli.server import connections

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def connect(listen: Callable[[ASGIApp], int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Connect to a server that closes idle connections after half a second."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.5)
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
