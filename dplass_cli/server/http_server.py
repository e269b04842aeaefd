"""Running the page's HTTP server: its socket, its job queue and its temporary files."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.options.serve_options import ServeOptions
from dplass_cli.server.http_app import make_app
from dplass_cli.server.job_queue import JobQueue
from dplass_cli.server.job_runner import SeparationRunner
from dplass_cli.server.web_classes import Config, H11Protocol, Server, h11

_SHUTDOWN_SECONDS = 2  # for responses under way
_MAX_CONNECTIONS = 200

IDLE_SECONDS = 10.0
"""Connections that send no request are closed: enough of them would use up :data:`_MAX_CONNECTIONS`."""


@dataclass(frozen=True)
class ServerAddress:
    """Where the page is served.

    Attributes:
        address: URL.
        local: only this machine can reach it.
    """

    address: str
    local: bool


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the server listens on.

    Raises:
        InputError: the host is not an address of this machine, or the port is in use or not permitted.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(
            f"--host {host} --port {port}: cannot listen there ({error.strerror}); choose another host or port (0 picks"
            " a free port)"
        ) from error


def run_server(
    listener: socket.socket,
    runner: SeparationRunner,
    options: ServeOptions,
    started: Callable[[ServerAddress], None],
) -> None:
    """Serve the page until the process is interrupted or terminated; then remove the files of all jobs.

    ``started`` is called once, when the page can be opened.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dplass-serve-", ignore_cleanup_errors=True) as folder,
        JobQueue(runner, Path(folder), options.max_waiting, options.keep_minutes * 60) as jobs,
    ):
        config = Config(
            make_app(jobs, runner, options),
            lifespan="off",
            http=Connection,
            ws="none",
            log_config=None,
            access_log=logging.getLogger("dplass_cli").isEnabledFor(logging.INFO),
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has shut down
            _AnnouncingServer(config, lambda: started(_address_of(listener))).run(sockets=[listener])


class Connection(H11Protocol):
    """A uvicorn connection that closes when a request's head does not arrive completely within :data:`IDLE_SECONDS`.

    uvicorn's own keep-alive timeout starts after the first response, so it does not cover new connections.
    """

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        self._timeout = self.loop.call_later(IDLE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the head is complete
            self._cancel_timeout()
        elif self._timeout is None:
            self._timeout = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self._cancel_timeout()
        super().connection_lost(exc)

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


class _AnnouncingServer(Server):
    """A uvicorn server that calls back once it runs."""

    def __init__(self, config: Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Only now are signal handlers installed: a caller that reacts with a signal must not kill the process.
        self._announce()


def _address_of(listener: socket.socket) -> ServerAddress:
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:  # it listens on all addresses; a browser needs a specific one
        host = "::1" if address.version == 6 else "127.0.0.1"
    return ServerAddress(f"http://{f'[{host}]' if ':' in host else host}:{port}", address.is_loopback)
