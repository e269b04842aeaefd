"""The HTTP interface: the page, and the jobs behind it. ``docs/serve.md`` documents it for clients."""

from __future__ import annotations

import contextlib
import errno
import io
import secrets
from collections.abc import AsyncIterator
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
from dplass_cli.options.serve_options import ServeOptions
from dplass_cli.resources import page_template, resource
from dplass_cli.server.guard import Guard
from dplass_cli.server.job_queue import JobNotFound, JobQueue, QueueFull, SeparationJob, Sound, without_paths
from dplass_cli.server.job_runner import MAX_QUERIES, MAX_QUERY_LENGTH, SeparationRunner, check_queries
from dplass_cli.storage import json_text, read_text
from dplass_cli.versions import __version__

STALLED_SECONDS = 30.0
"""An upload that sends nothing for this long is given up."""

_RETRY_SECONDS = 20
_EXAMPLE_RATE, _EXAMPLE_SECONDS, _EXAMPLE_SEED = 44100, 8.0, 4001


def make_app(jobs: JobQueue, runner: SeparationRunner, options: ServeOptions) -> ASGIApp:
    """The ASGI application over an entered queue."""
    handlers = _Handlers(jobs, runner, options)
    routes = [
        Route("/", handlers.page),
        Route("/example.wav", handlers.example),
        Route("/jobs", handlers.create, methods=["POST"]),
        Route("/jobs/{id}", handlers.status),
        Route("/jobs/{id}", handlers.cancel, methods=["DELETE"]),
        Route("/jobs/{id}/{name}.wav", handlers.audio),
        Route("/jobs/{id}/{name}.png", handlers.picture),
    ]
    errors: dict[Any, Any] = {
        QueueFull: lambda _, error: _error(503, str(error), {"Retry-After": str(_RETRY_SECONDS)}),
        JobNotFound: lambda _, error: _error(404, str(error)),
        ClientDisconnect: lambda *_: Response(status_code=400),  # no client is left to read it
        HTTPException: lambda _, error: _error(error.status_code, error.detail, error.headers),
        Exception: lambda *_: _error(500, "the server failed; its log says why"),
    }
    app = Starlette(routes=routes, exception_handlers=errors)
    return Guard(app, {"localhost", options.host, *options.allow_host})


def _error(status: int, message: str, headers: Any = None) -> Response:
    return JSONResponse({"error": message}, status, headers)


class _Handlers:
    def __init__(self, jobs: JobQueue, runner: SeparationRunner, options: ServeOptions) -> None:
        self._jobs, self._runner, self._options = jobs, runner, options
        self._upload_bytes = round(options.max_upload_mb * 1e6)

    async def page(self, request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self';"
            " img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        settings = {
            "bytes": self._upload_bytes,
            "seconds": self._options.max_seconds,
            "keepMinutes": self._options.keep_minutes,
            "queries": MAX_QUERIES,
        }
        content = page_template("serve.html").render(
            nonce=nonce,
            style=Markup(read_text(resource("assets/pages/serve.css"))),
            script=Markup(read_text(resource("assets/pages/serve.js"))),
            settings=Markup(json_text(settings)),
            query_length=MAX_QUERY_LENGTH,
            served_by=self._runner.description,
            version=__version__,
        )
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    async def example(self, request: Request) -> Response:
        return Response(await anyio.to_thread.run_sync(example_wav), media_type="audio/wav")

    async def create(self, request: Request) -> Response:
        try:
            queries = check_queries(request.query_params.getlist("query"))
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        with self._jobs.admit() as job:
            received = await self._receive(request, job.upload)
            if received and not is_common(job.upload):
                raise HTTPException(
                    415, "the recording: not a wav, flac, ogg, aiff, mp3, m4a, mp4 or webm file; convert it"
                )
            try:
                info = await anyio.to_thread.run_sync(audio_info, job.upload)
            except InputError as error:
                raise HTTPException(415, without_paths(error, job.folder)) from error
            try:
                self._runner.check(info, self._options.max_seconds)
            except InputError as error:
                raise HTTPException(400, str(error)) from error
            job.queries, job.info = queries, info
        return JSONResponse(self._status_of(job), 202, {"Location": f"/jobs/{job.id}"})

    async def _receive(self, request: Request, path: Path) -> int:
        """Write the body to a file while it arrives, up to the limit; return its size in bytes."""
        limit = self._upload_bytes
        too_large = HTTPException(
            413, f"the recording: more than {limit / 1e6:g} MB; send a part of it, or convert it to flac, ogg or mp3"
        )
        declared = request.headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            raise HTTPException(400, "Content-Length: not a number; send the recording as the request's body")
        if len(declared) > 18 or int(declared) > limit:  # int() of a very long text would take long
            raise too_large
        received = 0
        try:
            with open(path, "xb") as file:
                async for block in _with_timeout(request.stream()):
                    received += len(block)
                    if received > limit:
                        raise too_large
                    file.write(block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise HTTPException(507, "the server's disk is full; its owner has to free space") from error
        return received

    async def status(self, request: Request) -> Response:
        return JSONResponse(self._status_of(self._jobs.find(request.path_params["id"])))

    async def cancel(self, request: Request) -> Response:
        self._jobs.drop(request.path_params["id"])
        return Response(status_code=204)

    async def audio(self, request: Request) -> Response:
        return _file(self._sound(request).audio, "audio/wav")

    async def picture(self, request: Request) -> Response:
        return _file(self._sound(request).picture, "image/png")

    def _sound(self, request: Request) -> Sound:
        """The sound that a URL names. Names are looked up and never become paths."""
        job = self._jobs.find(request.path_params["id"])
        for sound in job.sounds:
            if sound.name == request.path_params["name"]:
                return sound
        raise HTTPException(404, "no such sound in this job")

    def _status_of(self, job: SeparationJob) -> dict[str, Any]:
        assert job.info is not None
        return {
            "id": job.id,
            "state": job.state,
            "ahead": self._jobs.jobs_ahead(job),
            "step": job.step,
            "fraction": round(job.fraction, 4),
            "error": job.error or None,
            "queries": job.queries,
            "seconds": job.info.seconds,
            "sample_rate": job.info.sample_rate,
            "channels": job.info.channels,
            "sounds": [_describe_sound(job, sound) for sound in job.sounds],
        }


def _describe_sound(job: SeparationJob, sound: Sound) -> dict[str, Any]:
    url = f"/jobs/{job.id}/{sound.name}"
    return {
        "name": sound.name,
        "kind": sound.kind,
        "query": sound.query,
        "adapter": sound.adapter,
        "clipped": sound.clipped,
        "audio": f"{url}.wav",
        "spectrogram": f"{url}.png",
    }


class _OpenedFileResponse(FileResponse):
    """A file response that opens its file before the headers are sent.

    A job that is dropped while a client downloads then does not cut the download short.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open(self.path, "rb"))
            except FileNotFoundError as error:  # dropped between the look-up and now
                raise JobNotFound from error
            self.path = f"/dev/fd/{file.fileno()}"  # starlette opens a path itself; this one outlives the removal
            await super().__call__(scope, receive, send)


def _file(path: Path, media_type: str) -> Response:
    try:
        return _OpenedFileResponse(path, media_type=media_type, stat_result=path.stat())
    except FileNotFoundError as error:
        raise JobNotFound from error


async def _with_timeout(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The blocks of an upload, until it ends or stalls."""
    while True:
        try:
            with anyio.fail_after(STALLED_SECONDS):
                block = await anext(blocks, None)
        except TimeoutError as error:
            raise HTTPException(
                408, f"the recording: nothing arrived for {STALLED_SECONDS:g} s; send it again"
            ) from error
        if block is None:
            return
        yield block


@cache
def example_wav() -> bytes:
    """A recording to try the page with: a dog barking on the left, in the rain, as a 16-bit wav."""
    dog, rain = (
        sounds.render(name, _EXAMPLE_SEED, _EXAMPLE_SECONDS, _EXAMPLE_RATE).astype(np.float64)
        for name in ("dog_bark", "rain")
    )
    dog *= 0.3 / np.abs(dog).max()
    rain *= np.sqrt(np.square(dog).mean() / np.square(rain).mean())
    stream = io.BytesIO()
    soundfile.write(stream, np.stack([dog + rain, 0.5 * dog + rain], axis=1), _EXAMPLE_RATE, "PCM_16", format="WAV")
    return stream.getvalue()
