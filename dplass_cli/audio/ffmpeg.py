"""Audio that libsndfile can't decode (m4a, video containers), by FFmpeg in the package ``av``: an extra."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.errors import InputError

EXTRA = "pip install 'dplass[download]'"
_AHEAD = 1.0  # seconds: a seek lands on a packet, and codecs take some to settle
_CODECS = (
    "aac,ac3,alac,amrnb,amrwb,eac3,flac,mp2,mp2float,mp3,mp3float,opus,vorbis,wmalossless,wmapro,wmav1,wmav2,"
    "pcm_alaw,pcm_mulaw,pcm_u8,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_f32be,pcm_f32le"
)
_ALLOWED = {
    "protocol_whitelist": "file",
    "format_whitelist": "aac,ac3,amr,asf,flac,matroska,mov,mp3,mpegts,ogg,wav",
    "codec_whitelist": _CODECS,
}
"""What FFmpeg may use of itself, by its own names. On opening a file it would else try the decoder of every track,
pictures too, and follow a playlist to other files; most of its faults are in what is not named here."""


class Undecodable(InputError):
    """A file without the wanted audio; ``reason`` says why, without the path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; replace or remove it")
        self.reason = reason


def is_available() -> bool:
    """Whether the extra is installed."""
    return find_spec("av") is not None


def decode(path: Path, start: float = 0.0, end: float = float("inf")) -> tuple[Audio, int]:
    """Decode [``start``, ``end``) seconds of the first audio track: (float32 (C, T), rate in Hz).

    A range that ends after the file is cut there. Only the common containers and codecs of sound are read.

    Raises:
        Undecodable: there is no audio in it, or none there, or its rate or channels change there.
        InputError: the extra is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError(f"{path}: decoding {path.suffix} needs the extra 'download'; {EXTRA}") from error
    blocks: list[Audio] = []
    began: float | None = None
    rate, sort = 0, ""
    try:
        with av.open(f"file:{path}", options=dict(_ALLOWED)) as container:  # no name is taken for an address
            if not container.streams.audio:
                raise Undecodable(path, "no audio in it")
            stream = container.streams.audio[0]
            codec = getattr(stream.codec_context, "name", "something unknown")  # which has no context
            if codec not in _CODECS.split(","):
                raise Undecodable(path, f"its sound is in {codec}, which is not decoded here")
            if start > 0:
                container.seek(int(max(0.0, start - _AHEAD) * av.time_base))
            resampler = av.AudioResampler(format="fltp")
            for frame in container.decode(stream):
                time = frame.time or 0.0
                if time >= end:
                    break
                if time + frame.samples / frame.sample_rate <= start:
                    continue
                found = f"{frame.format.name} {frame.layout.name} at {frame.sample_rate} Hz"
                if began is None:
                    began, rate, sort = time, frame.sample_rate, found
                if found != sort:  # the resampler takes one sort only
                    raise Undecodable(path, f"its sound changes at {time:g} s from {sort} to {found}")
                blocks += [np.asarray(block.to_ndarray(), np.float32) for block in resampler.resample(frame)]
    except (av.FFmpegError, UnicodeError) as error:
        raise Undecodable(path, f"not decodable ({getattr(error, 'strerror', error)})") from error
    if began is None:
        raise Undecodable(path, f"ends before {start:g} s" if start else "no audio in it")
    audio = np.concatenate(blocks, axis=1)
    first = max(0, round((start - began) * rate))
    last = None if end == float("inf") else first + round((end - start) * rate)
    cut: Audio = np.ascontiguousarray(audio[:, first:last])
    if cut.shape[1] == 0:
        raise Undecodable(path, f"ends before {start:g} s")
    return cut, rate
