"""The HTTP interface: the page, and the jobs behind it. ``docs/serve.md`` documents it for clients."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import secrets
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import soundfile
from markupsafe import Markup

from dplass_cli import sounds
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.serve_options import ServeOptions
from dplass_cli.resources import page_template, resource
from dplass_cli.server.downloads import (
    FORMATS,
    GAIN_RANGE_DB,
    MEDIA_TYPES,
    file_stems,
    formats_for,
    mix_file,
    sound_file,
    zip_blocks,
)
from dplass_cli.server.guard import Guard
from dplass_cli.server.job_queue import JobNotFound, JobQueue, SeparationJob, Sound, without_paths
from dplass_cli.server.job_runner import (
    MAX_QUERIES,
    MAX_QUERY_LENGTH,
    QUERY_PARAMETERS,
    SeparationRunner,
    parse_queries,
)
from dplass_cli.server.recording_store import QueueFull, RecordingNotFound, StoredRecording
from dplass_cli.server.request_parameters import check_parameters, format_of, gains_of, is_set, name_of
from dplass_cli.server.root_path import below
from dplass_cli.server.uploads import receive_recording
from dplass_cli.server.web_classes import (
    ASGIApp,
    ClientDisconnect,
    FileResponse,
    HTMLResponse,
    HTTPException,
    JSONResponse,
    Receive,
    Request,
    Response,
    Route,
    Scope,
    Send,
    Starlette,
    StreamingResponse,
    anyio,
)
from dplass_cli.storage import json_text, read_text
from dplass_cli.tagging.tagger import Tag
from dplass_cli.versions import __version__

_RETRY_SECONDS = 20
_EXAMPLE_RATE, _EXAMPLE_SECONDS, _EXAMPLE_SEED = 44100, 8.0, 4001
_SCRIPTS = ("serve_player.js", "serve_recording.js", "serve_results.js", "serve.js")


def make_app(jobs: JobQueue, runner: SeparationRunner, options: ServeOptions) -> ASGIApp:
    """The ASGI application over an entered queue."""
    handlers = _Handlers(jobs, runner, options)
    routes = [
        Route("/", handlers.page),
        Route("/example.wav", handlers.example),
        Route("/recordings", handlers.receive, methods=["POST"]),
        Route("/recordings/{id}", handlers.recording),
        Route("/recordings/{id}", handlers.forget, methods=["DELETE"]),
        Route("/recordings/{id}/suggestions", handlers.suggestions),
        Route("/recordings/{id}/sounds", handlers.find_sounds),
        Route("/jobs", handlers.create, methods=["POST"]),
        Route("/jobs/{id}", handlers.status),
        Route("/jobs/{id}", handlers.cancel, methods=["DELETE"]),
        Route("/jobs/{id}/all.zip", handlers.archive),
        Route("/jobs/{id}/mix.{format}", handlers.mix),
        Route("/jobs/{id}/{name}.png", handlers.picture),
        Route("/jobs/{id}/{name}.{format}", handlers.audio),
    ]
    errors: dict[Any, Any] = {
        QueueFull: lambda _, error: _error(503, str(error), {"Retry-After": str(_RETRY_SECONDS)}),
        JobNotFound: lambda _, error: _error(404, str(error)),
        RecordingNotFound: lambda _, error: _error(404, str(error)),
        InputError: lambda _, error: _error(400, str(error)),
        ClientDisconnect: lambda *_: Response(status_code=400),  # no client is left to read it
        HTTPException: lambda _, error: _error(error.status_code, error.detail, error.headers),
        Exception: lambda *_: _error(500, "the server failed; its log says why"),
    }
    app = Starlette(routes=routes, exception_handlers=errors)
    served = below(options.root_path, app) if options.root_path else app
    return Guard(served, {"localhost", options.host, *options.allow_host}, options.allow_host)


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
            "gainDb": GAIN_RANGE_DB,
        }
        content = page_template("serve.html").render(
            nonce=nonce,
            style=Markup(read_text(resource("assets/pages/serve.css"))),
            script=Markup("\n".join(read_text(resource(f"assets/pages/{name}")) for name in _SCRIPTS)),
            settings=Markup(json_text(settings)),
            kinds=self._runner.kinds,
            finds_sounds=self._runner.finds_sounds,
            formats=FORMATS,
            query_length=MAX_QUERY_LENGTH,
            served_by=self._runner.description,
            version=__version__,
        )
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    async def example(self, request: Request) -> Response:
        check_parameters(request)
        return Response(await anyio.to_thread.run_sync(example_wav), media_type="audio/wav")

    async def receive(self, request: Request) -> Response:
        check_parameters(request, "name")
        with self._jobs.recordings.admit() as recording:
            recording.name = name_of(request)
            recording.info = await receive_recording(
                request, recording.upload, self._upload_bytes, self._runner, self._options.max_seconds
            )
        address = f"{self._options.root_path}/recordings/{recording.id}"
        return JSONResponse(_describe_recording(recording), 201, {"Location": address})

    async def recording(self, request: Request) -> Response:
        check_parameters(request)
        return JSONResponse(_describe_recording(self._jobs.recordings.find(request.path_params["id"])))

    async def forget(self, request: Request) -> Response:
        check_parameters(request)
        self._jobs.recordings.drop(request.path_params["id"])
        return Response(status_code=204)

    async def suggestions(self, request: Request) -> Response:
        check_parameters(request)
        recording = self._jobs.recordings.find(request.path_params["id"])
        assert recording.info is not None
        try:
            found = await anyio.to_thread.run_sync(self._runner.suggest, recording.upload, recording.info)
        except InputError as error:
            raise HTTPException(415, without_paths(error, recording.folder)) from error
        suggested = [{"sound": sound, "similarity": round(similarity, 4)} for sound, similarity in found]
        return JSONResponse({"suggestions": suggested})

    async def find_sounds(self, request: Request) -> Response:
        check_parameters(request)
        recording = self._jobs.recordings.find(request.path_params["id"])
        try:
            found = await anyio.to_thread.run_sync(self._runner.find_sounds, recording.upload)
        except InputError as error:
            raise HTTPException(415, without_paths(error, recording.folder)) from error
        return JSONResponse({"sounds": [_describe_tag(tag) for tag in found]})

    async def create(self, request: Request) -> Response:
        check_parameters(request, *QUERY_PARAMETERS, "recording", "name", "consistent")
        consistent = is_set(request, "consistent")
        asked = [pair for pair in request.query_params.multi_items() if pair[0] in QUERY_PARAMETERS]
        queries = parse_queries(asked)
        recording_id = request.query_params.get("recording")
        if recording_id is not None:
            job = self._jobs.add(self._jobs.recordings.find(recording_id), queries, consistent)
        else:
            with self._jobs.admit() as job:
                job.name, job.queries, job.consistent = name_of(request), queries, consistent
                job.info = await receive_recording(
                    request, job.upload, self._upload_bytes, self._runner, self._options.max_seconds
                )
        return JSONResponse(self._status_of(job), 202, {"Location": self._address(job)})

    async def status(self, request: Request) -> Response:
        check_parameters(request)
        return JSONResponse(self._status_of(self._jobs.find(request.path_params["id"])))

    async def cancel(self, request: Request) -> Response:
        check_parameters(request)
        self._jobs.drop(request.path_params["id"])
        return Response(status_code=204)

    async def audio(self, request: Request) -> Response:
        check_parameters(request)
        job, sound = self._sound(request)
        form = format_of(request.path_params["format"], job)
        with _failures_of(job):
            path = await anyio.to_thread.run_sync(sound_file, job, sound, form)
        return _file(path, MEDIA_TYPES[form])

    async def picture(self, request: Request) -> Response:
        check_parameters(request)
        return _file(self._sound(request)[1].picture, "image/png")

    async def archive(self, request: Request) -> Response:
        check_parameters(request, "format")
        job = self._finished_job(request)
        form = format_of(request.query_params.get("format", "wav"), job)
        name = f"{file_stems(job)['recording'].rpartition('_')[0]}.zip"
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return StreamingResponse(zip_blocks(job, form), media_type="application/zip", headers=headers)

    async def mix(self, request: Request) -> Response:
        check_parameters(request, "gain")
        job = self._finished_job(request)
        form = format_of(request.path_params["format"], job)
        gains = gains_of(request.query_params.getlist("gain"), job)
        with _failures_of(job):
            path = await anyio.to_thread.run_sync(mix_file, job, gains, form)
        return _file(path, MEDIA_TYPES[form], once=True)

    def _finished_job(self, request: Request) -> SeparationJob:
        job = self._jobs.find(request.path_params["id"])
        if job.state != "done":
            raise HTTPException(404, "no such sound in this job")
        return job

    def _sound(self, request: Request) -> tuple[SeparationJob, Sound]:
        """The sound that a URL names. Names are looked up and never become paths."""
        job = self._jobs.find(request.path_params["id"])
        for sound in job.sounds:
            if sound.name == request.path_params["name"]:
                return job, sound
        raise HTTPException(404, "no such sound in this job")

    def _address(self, job: SeparationJob) -> str:
        return f"{self._options.root_path}/jobs/{job.id}"

    def _status_of(self, job: SeparationJob) -> dict[str, Any]:
        ahead = self._jobs.jobs_ahead(job)
        job = copy.copy(job)  # the worker may finish it at any moment
        assert job.info is not None
        left = self._jobs.seconds_left(job)
        stems = file_stems(job)
        return {
            "id": job.id,
            "state": job.state,
            "ahead": ahead,
            "step": job.step,
            "fraction": round(job.fraction, 4),
            "progress": round(job.progress, 4),
            "seconds_left": None if left is None else round(left, 1),
            "error": job.error or None,
            "name": job.name,
            "queries": [query.said or query.name for query in job.queries],
            "consistent": job.consistent,
            "seconds": job.info.seconds,
            "sample_rate": job.info.sample_rate,
            "channels": job.info.channels,
            "formats": formats_for(job.info),
            "sounds": [_describe_sound(self._address(job), sound, stems[sound.name]) for sound in job.sounds],
        }


def _describe_recording(recording: StoredRecording) -> dict[str, Any]:
    assert recording.info is not None
    return {
        "id": recording.id,
        "name": recording.name,
        "seconds": recording.info.seconds,
        "sample_rate": recording.info.sample_rate,
        "channels": recording.info.channels,
    }


def _describe_tag(tag: Tag) -> dict[str, Any]:
    return {
        "sound": tag.sound,
        "score": round(tag.score, 4),
        "calibrated": tag.calibrated,
        "spans": [{"start": round(span.start, 3), "end": round(span.end, 3)} for span in tag.spans],
    }


def _describe_sound(address: str, sound: Sound, stem: str) -> dict[str, Any]:
    presence = sound.presence
    return {
        "name": sound.name,
        "kind": sound.kind,
        "query": sound.query,
        "adapter": sound.adapter,
        "clipped": sound.clipped,
        "presence": presence and {"score": round(presence.score, 4), "calibrated": presence.calibrated},
        "understood": sound.understood,
        "unknown": sound.unknown,
        "removes": sound.removes,
        "reduce_db": sound.reduce_db,
        "file": stem,
        "audio": f"{address}/{sound.name}.wav",
        "spectrogram": f"{address}/{sound.name}.png",
    }


@contextlib.contextmanager
def _failures_of(job: SeparationJob) -> Iterator[None]:
    """Turn failures to write a download into responses without paths (HTTPException)."""
    try:
        yield
    except (InputError, RunError) as error:
        raise HTTPException(507 if isinstance(error, RunError) else 400, without_paths(error, job.folder)) from error


class _OpenedFileResponse(FileResponse):
    """A file response that opens its file before the headers are sent.

    A job that is dropped while a client downloads then does not cut the download short.

    Args:
        once: remove the file, which then exists for this download only.
    """

    def __init__(self, path: Path, media_type: str, stat_result: os.stat_result, once: bool) -> None:
        super().__init__(path, media_type=media_type, stat_result=stat_result)
        self._once = once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open(self.path, "rb"))
                if self._once:
                    stack.callback(Path(self.path).unlink, missing_ok=True)
            except FileNotFoundError as error:  # dropped between the look-up and now
                raise JobNotFound from error
            opened = Path(f"/dev/fd/{file.fileno()}")
            if opened.exists():  # Windows has none, but removes no file that is open
                self.path = str(opened)  # starlette opens a path itself; this one outlives the removal
            await super().__call__(scope, receive, send)


def _file(path: Path, media_type: str, once: bool = False) -> Response:
    try:
        return _OpenedFileResponse(path, media_type, path.stat(), once)
    except FileNotFoundError as error:
        raise JobNotFound from error


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
