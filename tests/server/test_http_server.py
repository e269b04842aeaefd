"""The server: its socket, the address that it announces, and its end."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="pip install 'dplass[serve]'")

from dplass_cli.errors import InputError
from dplass_cli.server.http_app import ServerLimits
from dplass_cli.server.http_server import ServerAddress, listen, run_server


def announced(host: str) -> ServerAddress:
    """Run a server until it has started: what it announces."""
    addresses: list[ServerAddress] = []

    def started(address: ServerAddress) -> None:
        addresses.append(address)
        os.kill(os.getpid(), signal.SIGINT)

    runner: Any = SimpleNamespace(description="no model")
    with listen(host, 0) as listener:
        run_server(listener, runner, ServerLimits(), 1, {"localhost"}, started)
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
