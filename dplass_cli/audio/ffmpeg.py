"""Decoding audio that libsndfile cannot (m4a, video containers) with FFmpeg, through the optional package ``av``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dplass_cli.audio.reading import Audio, check_samples
from dplass_cli.errors import InputError

EXTRA = "pip install 'dplass[download]'"
_PREROLL = 1.0  # seconds decoded before a range: a seek lands on a packet boundary, and codecs need some to settle
_CODECS = (
    "aac,ac3,alac,amrnb,amrwb,eac3,flac,mp2,mp2float,mp3,mp3float,opus,vorbis,wmalossless,wmapro,wmav1,wmav2,"
    "pcm_alaw,pcm_mulaw,pcm_u8,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_f32be,pcm_f32le"
)
_ALLOWED = {
    "protocol_whitelist": "file",
    "format_whitelist": "aac,ac3,amr,asf,flac,matroska,mov,mp3,mpegts,ogg,wav",
    "codec_whitelist": _CODECS,
}
"""The parts of FFmpeg that may be used, by its own names.

Without these lists, opening a file tries the decoder of every track, including video, and follows playlists to other
files. Most of FFmpeg's vulnerabilities are in components that are not listed here.
"""


def allowed_parts() -> dict[str, str]:
    """Options that restrict FFmpeg to those parts; each opening uses up its own."""
    return dict(_ALLOWED)


class Undecodable(InputError):
    """A file from which the requested audio cannot be decoded.

    Attributes:
        reason: what is wrong, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; replace or remove it")
        self.reason = reason


def is_available() -> bool:
    return find_spec("av") is not None


def decode(path: Path, start: float = 0.0, end: float = float("inf")) -> tuple[Audio, int]:
    """Decode the range [``start``, ``end``) in seconds of a file's first audio track, in common audio formats only.

    Returns:
        (samples float32 (C, T), sample rate in Hz); a range that ends after the file is truncated.

    Raises:
        Undecodable: the file has no audio track, or none in the range, or its rate or channels change within it.
        InputError: the package ``av`` is not installed, or a sample is NaN, infinite or above a million.
    """
    try:
        import av
    except ImportError as error:
        raise InputError(f"{path}: decoding {path.suffix} needs the extra 'download'; {EXTRA}") from error
    blocks: list[Audio] = []
    first_time: float | None = None
    rate, form = 0, ""
    try:
        with av.open(f"file:{path}", options=allowed_parts()) as container:  # "file:": a name with a colon is not a URL
            if not container.streams.audio:
                raise Undecodable(path, "has no audio track")
            stream = container.streams.audio[0]
            codec = getattr(stream.codec_context, "name", "an unknown codec")  # an unknown codec has no context
            if codec not in _CODECS.split(","):
                raise Undecodable(path, f"its audio codec {codec} is not supported")
            if start > 0:
                container.seek(int(max(0.0, start - _PREROLL) * av.time_base))
            resampler = av.AudioResampler(format="fltp")
            for frame in container.decode(stream):
                time = frame.time or 0.0
                if time >= end:
                    break
                if time + frame.samples / frame.sample_rate <= start:
                    continue
                found = f"{frame.format.name} {frame.layout.name} at {frame.sample_rate} Hz"
                if first_time is None:
                    first_time, rate, form = time, frame.sample_rate, found
                if found != form:  # the resampler accepts one format only
                    raise Undecodable(path, f"its audio changes at {time:g} s from {form} to {found}")
                blocks += [np.asarray(block.to_ndarray(), np.float32) for block in resampler.resample(frame)]
    except (av.FFmpegError, UnicodeError) as error:
        raise Undecodable(path, f"not decodable ({getattr(error, 'strerror', error)})") from error
    if first_time is None:
        raise Undecodable(path, f"ends before {start:g} s" if start else "has no audio")
    audio = np.concatenate(blocks, axis=1)
    first = max(0, round((start - first_time) * rate))
    last = None if end == float("inf") else first + round((end - start) * rate)
    cut: Audio = np.ascontiguousarray(audio[:, first:last])
    if cut.shape[1] == 0:
        raise Undecodable(path, f"ends before {start:g} s")
    check_samples(cut, path)
    return cut, rate
