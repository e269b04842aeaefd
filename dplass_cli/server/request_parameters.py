"""The parameters of requests to the page; what is wrong with one is an :class:`HTTPException`."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dplass_cli.errors import nearest
from dplass_cli.server.downloads import FORMATS, GAIN_RANGE_DB, DownloadFormat, formats_for
from dplass_cli.server.job_queue import SeparationJob, Sound
from dplass_cli.server.web_classes import HTTPException, Request

MAX_NAME_LENGTH = 255


def check_parameters(request: Request, *known: str) -> None:
    """Refuse parameters that a request does not have; a misspelt one would be ignored (HTTPException)."""
    for name in request.query_params:
        if name not in known:
            hint = nearest(name, known) or "; this request has none"
            raise HTTPException(400, f"{name[:MAX_NAME_LENGTH]}: no such parameter{hint}")


def name_of(request: Request) -> str:
    name = request.query_params.get("name", "")
    if len(name) > MAX_NAME_LENGTH:
        raise HTTPException(400, f"name: {len(name)} characters, at most {MAX_NAME_LENGTH}; shorten it")
    return name


def is_set(request: Request, name: str) -> bool:
    """Whether a parameter is ``true``; without it, or with ``false``, it is not (HTTPException)."""
    value = request.query_params.get(name, "false")
    if value not in ("true", "false"):
        raise HTTPException(400, f"{name} {value[:20]!r}: expected true or false")
    return value == "true"


def format_of(name: str, job: SeparationJob) -> DownloadFormat:
    """A format by its name, which this job's recording can be downloaded in (HTTPException)."""
    assert job.info is not None
    for form in formats_for(job.info):
        if form == name:
            return form
    if name in FORMATS:
        layout = f"{job.info.channels} channels at {job.info.sample_rate:,} Hz"
        raise HTTPException(400, f"format: {name} cannot represent {layout}; use wav")
    raise HTTPException(404, f"format: {name[:20]!r} is not known{nearest(name[:20], FORMATS)}")


def gains_of(given: Iterable[str], job: SeparationJob) -> dict[Sound, float]:
    """The gains of a mix in dB, from texts such as ``residual:-6`` (HTTPException)."""
    by_name = {sound.name: sound for sound in job.sounds}
    least, most = GAIN_RANGE_DB
    gains: dict[Sound, float] = {}
    for text in given:
        name, _, decibels = text.partition(":")
        if name not in by_name:
            raise HTTPException(400, f"gain: no sound {name[:40]!r} in this job{nearest(name[:40], by_name)}")
        try:
            gain = float(decibels or 0.0)
        except ValueError:
            gain = math.nan
        if not least <= gain <= most:
            raise HTTPException(400, f"gain {text[:40]}: expected NAME:DB with {least:g} to {most:g} dB")
        gains[by_name[name]] = gain
    if not gains:
        raise HTTPException(400, "gain: none is given; name the sounds of the mix, such as gain=1:0")
    return gains
