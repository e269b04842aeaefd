"""Running the page's HTTP server: its socket, its job queue and its temporary files."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from uvicorn import Config, Server

from dplass_cli.errors import InputError
from dplass_cli.server.connections import Connection
from dplass_cli.server.http_app import ServerLimits, make_app
from dplass_cli.server.job_queue import JobQueue
from dplass_cli.server.job_runner import SeparationRunner

_SHUTDOWN_SECONDS = 2  # for responses under way
_MAX_CONNECTIONS = 200


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
    limits: ServerLimits,
    max_waiting: int,
    host_names: Collection[str],
    started: Callable[[ServerAddress], None],
) -> None:
    """Serve the page until the process is interrupted or terminated; then remove the files of all jobs.

    ``started`` is called once, when the page can be opened.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dplass-serve-", ignore_cleanup_errors=True) as folder,
        JobQueue(runner, Path(folder), max_waiting, limits.keep_seconds) as jobs,
    ):
        config = Config(
            make_app(jobs, runner, limits, host_names),
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
