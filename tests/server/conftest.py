"""Servers of the page for its tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_client import ADDRESS, PageClient

from dplass_cli import Separator

pytest.importorskip("starlette", reason="pip install 'dplass[serve]'")

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from dplass_cli.options.serve_options import ServeOptions
from dplass_cli.server.http_app import make_app
from dplass_cli.server.http_server import Connection
from dplass_cli.server.job_queue import JobQueue
from dplass_cli.server.job_runner import SeparationRunner


@pytest.fixture(scope="session")
def runner() -> SeparationRunner:
    """Runs jobs with the bundled models."""
    return SeparationRunner(Separator.from_pretrained(device="cpu"))


@pytest.fixture
def serve(runner: SeparationRunner, tmp_path: Path) -> Iterator[Callable[..., PageClient]]:
    """Serve with these limits; ``run_job`` replaces the separation, ``checks`` the checks of recordings."""
    opened: list[JobQueue] = []

    def begin(run_job: Any = None, waiting: int = 8, checks: Any = None, **limits: Any) -> PageClient:
        jobs = JobQueue(run_job or runner, tmp_path / "jobs", waiting)
        (tmp_path / "jobs").mkdir()
        opened.append(jobs.__enter__())
        app = make_app(jobs, checks or runner, ServeOptions(**{"allow_host": ("studio.local",), **limits}))
        return PageClient(TestClient(app, ADDRESS, raise_server_exceptions=False), tmp_path / "jobs")

    yield begin
    for jobs in opened:
        jobs.__exit__(None, None, None)
    assert not (tmp_path / "jobs").exists()


@pytest.fixture
def listen() -> Iterator[Callable[..., int]]:
    """Serve an application on a port, with the connections of the page: the port; 0 takes a free one."""
    from uvicorn import Config, Server

    running: list[tuple[Server, threading.Thread]] = []

    def begin(app: ASGIApp, port: int = 0) -> int:
        listener = socket.create_server(("127.0.0.1", port))
        server = Server(Config(app, http=Connection, lifespan="off", ws="none", log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return int(listener.getsockname()[1])

    yield begin
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def listening(serve: Callable[..., PageClient], listen: Callable[..., int]) -> Callable[..., tuple[PageClient, int]]:
    """Serve the page on a port of its own: (client, port)."""

    def begin(**options: Any) -> tuple[PageClient, int]:
        client = serve(**options)
        return client, listen(client.http.app)

    return begin
