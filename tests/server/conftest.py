"""A served page on the small bundled model."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import ADDRESS, Served

from dplass_cli import Separator

pytest.importorskip("starlette", reason="pip install 'dplass[serve]'")

from starlette.testclient import TestClient

from dplass_cli.server.connections import Connection
from dplass_cli.server.http_app import ServerLimits, make_app
from dplass_cli.server.job_queue import Jobs
from dplass_cli.server.work import SeparationWork


@pytest.fixture(scope="session")
def separation() -> SeparationWork:
    return SeparationWork(Separator.from_pretrained(device="cpu"))


@pytest.fixture
def serve(separation: SeparationWork, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve with these limits; ``work`` takes the place of separating."""
    opened: list[Jobs] = []

    def begin(work: Any = None, waiting: int = 8, **limits: Any) -> Served:
        jobs = Jobs(work or separation, tmp_path / "jobs", waiting)
        (tmp_path / "jobs").mkdir()
        opened.append(jobs.__enter__())
        app = make_app(jobs, separation, ServerLimits(**limits), {"localhost", "studio.local"})
        return Served(TestClient(app, ADDRESS), jobs, tmp_path / "jobs")

    yield begin
    for jobs in opened:
        jobs.__exit__(None, None, None)
    assert not (tmp_path / "jobs").exists()


@pytest.fixture
def listening(serve: Callable[..., Served]) -> Iterator[Callable[..., tuple[Served, int]]]:
    """Serve on a real port: (served, port)."""
    from uvicorn import Config, Server

    ended: list[Callable[[], None]] = []

    def begin(**options: Any) -> tuple[Served, int]:
        served = serve(**options)
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(Config(served.client.app, http=Connection, lifespan="off", ws="none", log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join()

        ended.append(end)
        return served, listener.getsockname()[1]

    yield begin
    for end in ended:
        end()
