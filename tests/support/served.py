"""Recordings to send to the page, and a client of it: what its tests share."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import soundfile

from dplass_cli.server.job_queue import Jobs

if TYPE_CHECKING:
    from starlette.testclient import TestClient

ADDRESS = "http://127.0.0.1:7860"


def encoded(audio: npt.NDArray[np.float32], rate: int, form: str = "WAV", subtype: str | None = None) -> bytes:
    """Audio (T,) or (T, C) as a file's bytes."""
    stream = io.BytesIO()
    soundfile.write(stream, audio, rate, subtype, format=form)
    return stream.getvalue()


def noise(seconds: float = 0.5, rate: int = 16000, channels: int = 1) -> npt.NDArray[np.float32]:
    """Quiet noise (T, C)."""
    samples = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    return samples.astype(np.float32)


@dataclass
class Served:
    """A client, the jobs behind it, and the folder of their files."""

    client: TestClient
    jobs: Jobs
    folder: Path

    def send(self, body: Any, *queries: str, **more: Any) -> Any:
        """Post a recording."""
        return self.client.post("/jobs", params={"query": queries}, content=body, **more)

    def ended(self, identity: str) -> dict[str, Any]:
        """What is told of a job when it has ended."""
        for _ in range(600):
            told: dict[str, Any] = self.client.get(f"/jobs/{identity}").json()
            if told["state"] in ("done", "failed"):
                return told
            time.sleep(0.05)
        raise AssertionError(told)
