"""Videos with another sound: the pictures are copied as they are, not decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dplass_cli.audio.encoding import ENCODINGS, AudioEncoder, encoding_of
from dplass_cli.audio.ffmpeg import allowed_parts
from dplass_cli.audio.reading import Audio
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import atomic_path

if TYPE_CHECKING:
    import av

SOUNDS = {".mp4": ".m4a", ".m4v": ".m4a", ".mov": ".m4a", ".mkv": ".opus", ".webm": ".opus"}
"""{suffix of a video: the encoding of its sound}."""

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


def check_video(path: Path, channels: int, bitrate: int | None = None) -> None:
    """Check that a file is a video whose sound can be replaced (InputError)."""
    import av

    if path.suffix.lower() not in SOUNDS:
        raise InputError(f"--video: {path} is not a video that is written; use {', '.join(SOUNDS)}")
    encoding_of(path.with_suffix(SOUNDS[path.suffix.lower()]), channels, bitrate)
    try:
        with av.open(f"file:{path}", options=allowed_parts(pictures=True), metadata_errors="replace") as container:
            if not container.streams.video:
                raise InputError(f"--video: {path} has no pictures; leave out --video")
    except av.FFmpegError as error:
        raise InputError(f"{path}: not decodable ({error.strerror}); replace it") from error


def write_video(
    source: Path,
    output: Path,
    blocks: Iterable[Audio],
    sample_rate: int,
    channels: int,
    bitrate: int | None = None,
    track: int = 0,
) -> None:
    """Write a video with the pictures of ``source`` and a new sound in place of its own.

    Args:
        source: the video.
        output: the suffix chooses container and encoding of the sound (:data:`SOUNDS`).
        blocks: consecutive samples, float32 (C, n).
        sample_rate: Hz.
        channels: C.
        bitrate: of the sound, kbit/s; default: by the number of channels.
        track: the audio track of ``source`` that ``blocks`` begin with, from 0 on.

    Raises:
        InputError: as :func:`check_video`, or the video does not say when its pictures are shown.
        RunError: the output cannot be written.
    """
    import av

    check_video(source, channels, bitrate)
    suffix = output.suffix.lower()
    with atomic_path(output) as temporary:
        try:
            with (
                av.open(f"file:{source}", options=allowed_parts(pictures=True), metadata_errors="replace") as pictures,
                av.open(str(temporary), "w", format=_CONTAINERS[suffix]) as container,
            ):
                container.metadata.update(pictures.metadata)
                sound = pictures.streams.audio[track]
                start = float((sound.start_time or 0) * (sound.time_base or 0))
                copy = container.add_stream_from_template(pictures.streams.video[0])
                encoder = AudioEncoder(container, ENCODINGS[SOUNDS[suffix]], sample_rate, channels, bitrate, start)
                remaining = iter(blocks)
                for packet in _packets(source, pictures):
                    # Both tracks advance together, so that the container is not held in memory.
                    while encoder.seconds < float(packet.dts * packet.time_base):
                        if (block := next(remaining, None)) is None:
                            break
                        encoder.add(block)
                    packet.stream = copy
                    container.mux(packet)
                for block in remaining:
                    encoder.add(block)
                encoder.finish()
        except (av.FFmpegError, OSError) as error:
            raise RunError(f"{output}: writing failed ({error}); check the disk and run again") from error


def _packets(source: Path, container: av.container.InputContainer) -> Iterator[Any]:
    """The packets of the pictures, each with its decoding time.

    Matroska stores only when pictures are shown. The times at which they are decoded are those times in order, moved to
    the front so that each is decoded before it is shown.
    """
    import av

    stream = container.streams.video[0]
    with av.open(f"file:{source}", options=allowed_parts(pictures=True), metadata_errors="replace") as first:
        times = [(packet.dts, packet.pts) for packet in first.demux(first.streams.video[0]) if packet.size]
    packets = (packet for packet in container.demux(stream) if packet.size)
    if all(dts is not None for dts, _ in times):
        yield from packets
        return
    stored = [pts for _, pts in times if pts is not None]
    if len(stored) < len(times):
        raise InputError(f"--video: {source} does not say when its pictures are shown; leave out --video")
    shown = sorted(stored)
    delay = max(pts - own for pts, own in zip(shown, stored, strict=True))
    for packet, pts in zip(packets, shown, strict=True):
        packet.dts = pts - delay
        yield packet
