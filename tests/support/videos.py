"""Small videos with sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from dplass_cli.audio.reading import Audio

CODECS = {
    ".mp4": ("libx264", "aac"),
    ".m4v": ("mpeg4", "aac"),
    ".mov": ("mpeg4", "aac"),
    ".mkv": ("libx264", "libopus"),
    ".webm": ("libvpx-vp9", "libopus"),
}
RATE = 48000


def tone(frequency: float, seconds: float = 2.0) -> Audio:
    times = np.arange(round(RATE * seconds)) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * frequency * times)] * 2).astype(np.float32)


def make_video(path: Path, pictures: int = 50, tags: Mapping[str, str] | None = None) -> Path:
    """Two seconds of pictures that change, with B-frames where the codec has them, and a tone of 400 Hz."""
    codec, sound = CODECS[path.suffix]
    with av.open(str(path), "w", format="mp4" if path.suffix == ".m4v" else None) as container:
        container.metadata.update(tags or {})
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(sound, rate=RATE, layout="stereo")
        if not audio.codec_context.is_open:
            audio.codec_context.open()
        resampler = av.AudioResampler(audio.codec_context.format, "stereo", RATE, audio.codec_context.frame_size)
        generator = np.random.default_rng(0)
        for number in range(pictures):
            picture = generator.integers(0, 255, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.roll(picture // 4, number, axis=1), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = av.AudioFrame.from_ndarray(tone(400.0), "fltp", "stereo")
        samples.sample_rate, samples.pts = RATE, 0
        for piece in [*resampler.resample(samples), *resampler.resample(None)]:
            container.mux(audio.encode(piece))
        container.mux(audio.encode(None))
    return path


def packets(path: Path) -> list[tuple[bytes, float]]:
    """The pictures as they are stored, and when each is shown."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(bytes(each), float(each.pts * each.time_base)) for each in container.demux(stream) if each.size]


def make_tracks(path: Path, *tracks: Audio, titles: Sequence[str] = ()) -> Path:
    """A Matroska file without pictures: each track is float32 (1, n) at 48 kHz, stored as 16 bits."""
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in tracks]
        for stream, title in zip(streams, titles, strict=False):
            stream.metadata["title"] = title
        for stream, samples in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(np.round(samples * 32767).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return path
