"""The HTTP interface: a page, and the jobs behind it. Documented for its users in docs/serve.md."""

from __future__ import annotations

import contextlib
import errno
import io
import secrets
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import soundfile
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dplass_cli import sounds
from dplass_cli.audio.probe import is_common
from dplass_cli.audio.reading import audio_info
from dplass_cli.errors import InputError
from dplass_cli.resources import page_template, resource
from dplass_cli.server.guard import Guard
from dplass_cli.server.job_queue import Busy, Jobs, SeparationJob, Sound, Unknown, without_paths
from dplass_cli.server.work import MAX_QUERIES, MAX_QUERY_LENGTH, SeparationWork, check_queries
from dplass_cli.storage import json_text, read_text
from dplass_cli.versions import __version__

STALLED_SECONDS = 30.0  # an upload of which nothing comes for so long is given up
_RETRY_SECONDS = 20
_EXAMPLE_RATE, _EXAMPLE_SECONDS, _EXAMPLE_SEED = 44100, 8.0, 4001


@dataclass(frozen=True)
class ServerLimits:
    """What is taken: bytes of an upload, seconds of a recording; and the seconds that results are kept."""

    upload_bytes: int = 350_000_000
    seconds: float = 1800.0
    keep_seconds: float = 1800.0


class Refused(Exception):
    """An answer that is an error: an HTTP status and one line."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def make_app(jobs: Jobs, separation: SeparationWork, limits: ServerLimits, names: Collection[str]) -> ASGIApp:
    """The application.

    Args:
        jobs: the queue, begun. separation: the work of its jobs. limits: of what is sent.
        names: host names that it answers to, beside IP addresses.
    """
    handlers = _Handlers(jobs, separation, limits)
    routes = [
        Route("/", handlers.page),
        Route("/example.wav", handlers.example),
        Route("/jobs", handlers.create, methods=["POST"]),
        Route("/jobs/{id}", handlers.tell),
        Route("/jobs/{id}", handlers.cancel, methods=["DELETE"]),
        Route("/jobs/{id}/{name}.wav", handlers.audio),
        Route("/jobs/{id}/{name}.png", handlers.picture),
    ]
    errors: dict[Any, Any] = {
        Refused: lambda _, error: _error(error.status, str(error)),
        Busy: lambda _, error: _error(503, str(error), {"Retry-After": str(_RETRY_SECONDS)}),
        Unknown: lambda _, error: _error(404, str(error)),
        ClientDisconnect: lambda *_: Response(status_code=400),  # nobody is there to read it
        HTTPException: lambda _, error: _error(error.status_code, error.detail, error.headers),
        Exception: lambda *_: _error(500, "the server failed; its log says why"),
    }
    return Guard(Starlette(routes=routes, exception_handlers=errors), names)


def _error(status: int, said: str, headers: Any = None) -> Response:
    return JSONResponse({"error": said}, status, headers)


class _Handlers:
    def __init__(self, jobs: Jobs, separation: SeparationWork, limits: ServerLimits) -> None:
        self._jobs, self._separation, self._limits = jobs, separation, limits

    async def page(self, request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self';"
            " img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        settings = {
            "bytes": self._limits.upload_bytes,
            "seconds": self._limits.seconds,
            "keepMinutes": self._limits.keep_seconds / 60,
            "queries": MAX_QUERIES,
        }
        content = page_template("serve.html").render(
            nonce=nonce,
            style=Markup(read_text(resource("assets/pages/serve.css"))),
            script=Markup(read_text(resource("assets/pages/serve.js"))),
            settings=Markup(json_text(settings)),
            query_length=MAX_QUERY_LENGTH,
            served_by=self._separation.description,
            version=__version__,
        )
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    async def example(self, request: Request) -> Response:
        return Response(await anyio.to_thread.run_sync(example_wav), media_type="audio/wav")

    async def create(self, request: Request) -> Response:
        try:
            queries = check_queries(request.query_params.getlist("query"))
        except InputError as error:
            raise Refused(400, str(error)) from error
        with self._jobs.admit() as job:
            held = await self._receive(request, job.upload)
            if held and not is_common(job.upload):
                raise Refused(415, "the recording is no wav, flac, ogg, aiff or mp3; send it as one of these")
            try:
                info = await anyio.to_thread.run_sync(audio_info, job.upload)
            except InputError as error:
                raise Refused(415, without_paths(error, job.folder)) from error
            try:
                self._separation.check(info, self._limits.seconds)
            except InputError as error:
                raise Refused(400, str(error)) from error
            job.queries, job.info = queries, info
        return JSONResponse(self._described(job), 202, {"Location": f"/jobs/{job.id}"})

    async def _receive(self, request: Request, path: Path) -> int:
        """Write the body to a file as it comes, up to the limit: its bytes."""
        most = self._limits.upload_bytes
        too_large = Refused(413, f"the recording has more than {most / 1e6:g} MB; send a part, or flac, ogg or mp3")
        told = request.headers.get("content-length", "0")
        if not (told.isascii() and told.isdigit()):
            raise Refused(400, "the length that was told is no number; send the recording as a body")
        if len(told) > 18 or int(told) > most:
            raise too_large
        held = 0
        try:
            with open(path, "xb") as file:
                async for block in _unless_stalled(request.stream()):
                    held += len(block)
                    if held > most:
                        raise too_large
                    file.write(block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise Refused(507, "the server's disk is full; its owner has to free space") from error
        return held

    async def tell(self, request: Request) -> Response:
        return JSONResponse(self._described(self._jobs.find(request.path_params["id"])))

    async def cancel(self, request: Request) -> Response:
        self._jobs.drop(request.path_params["id"])
        return Response(status_code=204)

    async def audio(self, request: Request) -> Response:
        return _file(self._sound(request).audio, "audio/wav")

    async def picture(self, request: Request) -> Response:
        return _file(self._sound(request).picture, "image/png")

    def _sound(self, request: Request) -> Sound:
        """The sound of an address; names are looked up, never made into paths."""
        job = self._jobs.find(request.path_params["id"])
        for sound in job.sounds:
            if sound.name == request.path_params["name"]:
                return sound
        raise Refused(404, "no such sound in this job")

    def _described(self, job: SeparationJob) -> dict[str, Any]:
        assert job.info is not None
        return {
            "id": job.id,
            "state": job.state,
            "ahead": self._jobs.ahead(job),
            "step": job.step,
            "fraction": round(job.fraction, 4),
            "error": job.error or None,
            "queries": job.queries,
            "seconds": job.info.seconds,
            "sample_rate": job.info.sample_rate,
            "channels": job.info.channels,
            "sounds": [_sound_described(job, sound) for sound in job.sounds],
        }


def _sound_described(job: SeparationJob, sound: Sound) -> dict[str, Any]:
    address = f"/jobs/{job.id}/{sound.name}"
    return {
        "name": sound.name,
        "kind": sound.kind,
        "query": sound.query,
        "adapter": sound.adapter,
        "clipped": sound.clipped,
        "audio": f"{address}.wav",
        "spectrogram": f"{address}.png",
    }


class _Held(FileResponse):
    """A file that is opened before the head is sent: who drops it then takes nothing from who listens."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as held:
            try:
                file = held.enter_context(open(self.path, "rb"))
            except FileNotFoundError as error:  # dropped this very moment
                raise Unknown from error
            self.path = f"/dev/fd/{file.fileno()}"
            await super().__call__(scope, receive, send)


def _file(path: Path, kind: str) -> Response:
    try:
        return _Held(path, media_type=kind, stat_result=path.stat())
    except FileNotFoundError as error:
        raise Unknown from error


async def _unless_stalled(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            with anyio.fail_after(STALLED_SECONDS):
                block = await anext(blocks, None)
        except TimeoutError as error:
            raise Refused(408, f"nothing of the recording came for {STALLED_SECONDS:g} s; send it again") from error
        if block is None:
            return
        yield block


@cache
def example_wav() -> bytes:
    """A recording to try the page with: a dog on the left, in the rain, as a 16-bit wav."""
    dog, rain = (
        sounds.render(name, _EXAMPLE_SEED, _EXAMPLE_SECONDS, _EXAMPLE_RATE).astype(np.float64)
        for name in ("dog_bark", "rain")
    )
    dog *= 0.3 / np.abs(dog).max()
    rain *= np.sqrt(np.square(dog).mean() / np.square(rain).mean())
    stream = io.BytesIO()
    soundfile.write(stream, np.stack([dog + rain, 0.5 * dog + rain], axis=1), _EXAMPLE_RATE, "PCM_16", format="WAV")
    return stream.getvalue()
