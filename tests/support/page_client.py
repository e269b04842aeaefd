"""Uploads for the tests of the page, and a client of it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import soundfile

if TYPE_CHECKING:
    from starlette.testclient import TestClient

ADDRESS = "http://127.0.0.1:7860"


def encoded(audio: npt.NDArray[np.float32], rate: int, form: str = "WAV", subtype: str | None = None) -> bytes:
    """The bytes of a file with audio (T,) or (T, C)."""
    stream = io.BytesIO()
    soundfile.write(stream, audio, rate, subtype, format=form)
    return stream.getvalue()


def noise(seconds: float = 0.5, rate: int = 16000, channels: int = 1) -> npt.NDArray[np.float32]:
    """Quiet white noise, float32 (T, C)."""
    samples = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    return samples.astype(np.float32)


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it did not within the time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.005)


@dataclass
class PageClient:
    """A client of the page.

    Attributes:
        http: sends the requests.
        folder: contains the files of the server's jobs.
    """

    http: TestClient
    folder: Path

    def send(self, body: Any, *queries: str, **more: Any) -> Any:
        """Upload a recording: the response."""
        return self.http.post("/jobs", params={"query": queries}, content=body, **more)

    def wait_until_finished(self, job_id: str) -> dict[str, Any]:
        """The status of a job when it is done or has failed."""
        status: dict[str, Any] = {}

        def finished() -> bool:
            status.update(self.http.get(f"/jobs/{job_id}").json())
            return status["state"] in ("done", "failed")

        wait_until(finished, 60.0)
        return status

    @property
    def files(self) -> list[Path]:
        """The files that the server holds."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def wait_until_empty(self) -> None:
        """Wait until the server holds neither files nor folders."""
        wait_until(lambda: not list(self.folder.iterdir()))
