"""Receiving a recording: the body of a request is written to a file while it arrives, and then checked."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from pathlib import Path

from dplass_cli.audio.probe import is_common
from dplass_cli.audio.reading import AudioInfo, audio_info
from dplass_cli.errors import InputError
from dplass_cli.server.job_queue import without_paths
from dplass_cli.server.job_runner import SeparationRunner
from dplass_cli.server.web_classes import HTTPException, Request, anyio

STALLED_SECONDS = 30.0
"""An upload that sends nothing for this long is given up."""


async def receive_recording(
    request: Request, path: Path, max_bytes: int, runner: SeparationRunner, max_seconds: float
) -> AudioInfo:
    """Write the body of a request to a file, and check that it is a recording that can be separated.

    Raises:
        HTTPException: too large, stalled, not a readable recording, or one that would exhaust the machine.
    """
    received = await _receive(request, path, max_bytes)
    if received and not is_common(path):
        raise HTTPException(415, "the recording: not a wav, flac, ogg, aiff, mp3, m4a, mp4 or webm file; convert it")
    try:
        info = await anyio.to_thread.run_sync(audio_info, path)
    except InputError as error:
        raise HTTPException(415, without_paths(error, path.parent)) from error
    try:
        runner.check(info, max_seconds)
    except InputError as error:
        raise HTTPException(400, str(error)) from error
    return info


async def _receive(request: Request, path: Path, limit: int) -> int:
    """Write the body to a file while it arrives, up to the limit; return its size in bytes."""
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
