"""Decoding audio that libsndfile cannot (m4a, video containers) with FFmpeg, through PyAV."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dplass_cli.audio.source import (
    Audio,
    AudioInfo,
    DamagedAudio,
    EmptyAudio,
    Note,
    ReadSamples,
    UnsupportedAudio,
    no_such_track,
)

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

_PICTURES = "h264,hevc,mpeg4,vp8,vp9,av1,libdav1d,mjpeg,prores"
_INDEX_SECONDS = 5.0  # between two entries of the index; files of less than two are decoded from their start
_MOST_PLANES = 7  # that PyAV turns into an array
_PREROLL_SECONDS = 1.0  # decoded before a range: codecs need some frames until their output is right
_SCALES = {"u8": (128.0, 2.0**-7), "s16": (0.0, 2.0**-15), "s32": (0.0, 2.0**-31)}
"""Offset and scale of integer samples, by FFmpeg's name of their format."""
_SUBTYPES = {"u8": "PCM_U8", "s16": "PCM_16", "s32": "PCM_32"}
_LOW_BITS = 0xFF  # of a 32-bit sample; zero if the samples have 24 bits
_LOSSLESS = ("alac", "flac", "wmalossless", "pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32")


def allowed_parts(pictures: bool = False) -> dict[str, str]:
    """Options that restrict FFmpeg to those parts; each opening uses up its own.

    With ``pictures``, FFmpeg may also look into the usual codecs of videos, some of which only say there how large
    their pictures are.
    """
    more = {"codec_whitelist": f"{_CODECS},{_PICTURES}"} if pictures else {}
    return {**_ALLOWED, **more}


def _interleaved(frame: Any) -> Any:
    """A frame with its channels in one plane: PyAV's arrays of eight planes read outside of their memory."""
    import av

    (packed,) = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)
    return packed


class _DecodedFrame:
    """A frame that FFmpeg has decoded.

    Attributes:
        timestamp: in units of the stream's time base; None if unknown.
        samples: (C, n), of the type that the decoder uses.
        form: the sample format, as FFmpeg names it, without the mark for planes: ``s16``.
        rate: Hz.
        layout: sample format, channels and rate, in words.
    """

    def __init__(self, frame: Any) -> None:
        self.timestamp: int | None = frame.pts
        if frame.format.is_planar and len(frame.layout.channels) > _MOST_PLANES:
            frame = _interleaved(frame)
        array: npt.NDArray[Any] = frame.to_ndarray()
        self.samples = array if frame.format.is_planar else array.reshape(-1, len(frame.layout.channels)).T
        self.form: str = frame.format.name.removesuffix("p")
        self.rate: int = frame.sample_rate
        self.layout = f"{frame.format.name} {frame.layout.name} at {frame.sample_rate} Hz"

    def as_float(self) -> Audio:
        if self.form not in _SCALES:
            return self.samples.astype(np.float32)
        offset, scale = _SCALES[self.form]
        wide: npt.NDArray[Any] = self.samples.astype(np.float64 if self.form == "s32" else np.float32)
        scaled: Audio = ((wide - offset) * scale).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class FFmpegSource:
    """A file that FFmpeg decodes; created by :func:`measure`.

    Attributes:
        path: the file.
        info: its format and length.
        track: which of its audio tracks, from 0 on.
        index: (timestamp, position in samples) of a frame every five seconds, in ascending order.
    """

    path: Path
    info: AudioInfo
    track: int
    index: tuple[tuple[int, int], ...]

    @contextlib.contextmanager
    def open(self, first: int = 0) -> Iterator[ReadSamples]:
        """Open the file at a sample; memory does not grow with what is read."""
        with contextlib.ExitStack() as stack:
            frames = self._samples_from(stack, first)
            rest = next(frames, None)

            def read(size: int) -> Audio:
                nonlocal rest
                blocks: list[Audio] = [np.empty((self.info.channels, 0), np.float32)]
                missing = size
                while rest is not None and missing > 0:
                    blocks.append(rest[:, :missing])
                    missing -= blocks[-1].shape[1]
                    rest = rest[:, blocks[-1].shape[1] :] if missing == 0 else next(frames, None)
                return np.concatenate(blocks, axis=1)

            yield read

    def _samples_from(self, stack: contextlib.ExitStack, first: int) -> Iterator[Audio]:
        position, frames = self._seek(stack, first) or (0, _frames(*stack.enter_context(_track(self.path, self.track))))
        for frame in frames:
            size = frame.samples.shape[1]
            if position + size > first:
                yield frame.as_float()[:, max(0, first - position) : self.info.frames - position]
            position += size
            if position >= self.info.frames:  # what follows is padding
                return

    def _seek(self, stack: contextlib.ExitStack, first: int) -> tuple[int, Iterator[_DecodedFrame]] | None:
        """Find the last frame of the index that leaves time for the preroll; return its position and all from it on.

        Positions come from the index because timestamps are too coarse to count samples by (a millisecond in
        Matroska). None if the file has to be decoded from its start.
        """
        settled = first - round(_PREROLL_SECONDS * self.info.sample_rate)
        entry = bisect_right([position for _, position in self.index], settled) - 1
        if entry < 2:
            return None
        timestamp, position = self.index[entry]
        path, container, stream = stack.enter_context(_track(self.path, self.track))
        container.seek(self.index[entry - 1][0], stream=stream)  # earlier: some codecs drop samples after a seek
        frames = _frames(path, container, stream)
        for frame in frames:
            if frame.timestamp == timestamp:
                return position, chain([frame], frames)
            if frame.timestamp is None or frame.timestamp > timestamp:
                break
        return None


def measure(path: Path, track: int = 0) -> FFmpegSource:
    """Decode a file once to find its exact length; containers and codecs are limited to common ones.

    Args:
        path: the file.
        track: which of its audio tracks, from 0 on.

    Raises:
        UnsupportedAudio: FFmpeg may not or cannot open the file, it has no such track, or its rate or channels change.
        DamagedAudio: a part of it cannot be decoded.
        EmptyAudio: the track has no samples.
    """
    index: list[tuple[int, int]] = []
    frames = length = low_bits = 0
    ascending, first = True, None
    with _track(path, track) as (_, container, stream):
        for frame in _frames(path, container, stream):
            first = first or frame
            if frame.layout != first.layout:
                raise UnsupportedAudio(
                    f"{path}: its audio changes at {frames / first.rate:g} s from {first.layout} to {frame.layout};"
                    " convert or replace it"
                )
            if not index or frames - index[-1][1] >= _INDEX_SECONDS * frame.rate:
                ascending &= frame.timestamp is not None and (not index or frame.timestamp > index[-1][0])
                index.append((frame.timestamp or 0, frames))
            if frame.form == "s32":
                low_bits |= int(np.bitwise_or.reduce(frame.samples, axis=None)) & _LOW_BITS
            length = frame.samples.shape[1]
            frames += length
        if first is None or frames == 0:
            raise EmptyAudio(f"{path}: contains no audio samples; replace or remove it")
        declared = _declared_frames(container, stream, first.rate)
        codec, name = stream.codec_context.name, container.format.name.split(",")[0]
    note: Note = ""
    if declared is not None and frames - length < declared < frames:
        frames = declared  # encoders fill the last frame up; the container says how much of it is padding
    elif declared is not None and declared > frames + length:
        note = "truncated"
    subtype = _SUBTYPES.get(first.form, "FLOAT") if codec.startswith(("pcm_f", *_LOSSLESS)) else codec.upper()
    if subtype == "PCM_32" and not low_bits:
        subtype = "PCM_24"
    info = AudioInfo(frames, first.rate, first.samples.shape[0], name.upper(), subtype, note)
    return FFmpegSource(path, info, track, tuple(index) if ascending else ())


def _declared_frames(container: Any, stream: Any, rate: int) -> int | None:
    """The length of a track that an MP4 or QuickTime file declares; other containers estimate it, or do not know it."""
    if "mov" not in container.format.name or not stream.duration:
        return None
    frames: int = round(stream.duration * stream.time_base * rate)
    return frames


def read_tags(path: Path, track: int = 0) -> dict[str, str]:
    """The tags of a file and of one of its audio tracks, as FFmpeg names them; none if it cannot be opened."""
    try:
        with _track(path, track) as (_, container, stream):
            return {**stream.metadata, **container.metadata}
    except UnsupportedAudio:
        return {}


_Track = tuple[Path, Any, Any]
"""A file, with PyAV's container and stream."""


@contextlib.contextmanager
def _track(path: Path, number: int) -> Iterator[_Track]:
    """Open an audio track of a file, with the allowed parts of FFmpeg only."""
    import av  # here, since few files need it

    with contextlib.ExitStack() as stack:
        try:  # "file:": a name with a colon is not a URL
            container = stack.enter_context(av.open(f"file:{path}", options=allowed_parts(), metadata_errors="replace"))
        except (av.FFmpegError, UnicodeError) as error:
            raise UnsupportedAudio(f"{path}: not decodable ({_reason(error)}); convert or replace it") from error
        tracks = container.streams.audio
        if number >= len(tracks):
            raise no_such_track(path, len(tracks))
        codec = getattr(tracks[number].codec_context, "name", "an unknown codec")  # an unknown codec has no context
        if codec not in _CODECS.split(","):
            raise UnsupportedAudio(f"{path}: its audio codec {codec} is not supported; convert it to wav or flac")
        yield path, container, tracks[number]


def _frames(path: Path, container: Any, stream: Any) -> Iterator[_DecodedFrame]:
    import av

    try:
        yield from map(_DecodedFrame, container.decode(stream))
    except av.FFmpegError as error:
        raise DamagedAudio(f"{path}: damaged audio ({_reason(error)}); replace or remove it") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
