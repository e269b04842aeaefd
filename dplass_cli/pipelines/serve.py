"""``serve``: a page on this machine to separate recordings with."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.options.serve_options import ServeOptions

_EXTRA = "pip install 'dplass[serve]'"
_GRACE_SECONDS = 2  # for answers under way when the server ends
_MOST_CONNECTIONS = 200


@dataclass(frozen=True)
class Serving:
    """Where the page is: its address, and whether only this machine reaches it."""

    address: str
    local: bool


def serve(options: ServeOptions, started: Callable[[Serving], None]) -> None:
    """Serve the page until the process is interrupted or terminated; then every file of its jobs is gone.

    Args:
        started: called once, when the page can be opened.

    Raises:
        InputError: wrong options or models, the extra is not installed, or the port is taken.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise InputError(f"serve needs the extra 'serve'; {_EXTRA}")
    from uvicorn import Config, Server

    from dplass_cli.separation.separator import Separator
    from dplass_cli.server.connections import Connection
    from dplass_cli.server.http_app import ServerLimits, make_app
    from dplass_cli.server.job_queue import Jobs
    from dplass_cli.server.work import SeparationWork

    with contextlib.closing(_listen(options.host, options.port)) as listener:
        separator = Separator.from_spec(options.model, options.select, options.stereo, options.refine)
        separator.check(["a sound"])  # a policy that lacks what it needs is told now
        separation = SeparationWork(separator)
        limits = ServerLimits(round(options.max_upload_mb * 1e6), options.max_seconds, options.keep_minutes * 60)
        names = {"localhost", options.host, *options.allow_host}
        with (
            tempfile.TemporaryDirectory(prefix="dplass-serve-", ignore_cleanup_errors=True) as folder,
            Jobs(separation, Path(folder), options.max_waiting, limits.keep_seconds) as jobs,
        ):
            config = Config(
                make_app(jobs, separation, limits, names),
                lifespan="off",
                http=Connection,
                ws="none",
                log_config=None,
                access_log=logging.getLogger("dplass_cli").isEnabledFor(logging.INFO),
                server_header=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )

            class Told(Server):
                async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                    await super().startup(sockets)
                    started(_serving(listener))  # not before: a signal that answers it is to be heard

            with contextlib.suppress(KeyboardInterrupt):  # which the server raises again when it has ended
                Told(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port} ({error.strerror}); choose another --host, or --port (0 takes a free"
            " one)"
        ) from error


def _serving(listener: socket.socket) -> Serving:
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:  # all of the machine's addresses
        host = "::1" if address.version == 6 else "127.0.0.1"
    return Serving(f"http://{f'[{host}]' if ':' in host else host}:{port}", address.is_loopback)
