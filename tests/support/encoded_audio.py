"""Audio files that FFmpeg encodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt


def write_encoded(
    path: Path,
    audio: npt.NDArray[np.floating],
    rate: int,
    container: str,
    codec: str,
    pictures: str | None = None,
    layout: str | None = None,
    options: Mapping[str, str] | None = None,
    tracks: int = 1,
) -> Path:
    """Write audio (C, n) of one or two channels, all of it in each of the ``tracks``, each half as loud as before.

    Args:
        path: the file.
        audio: full scale is 1.
        rate: Hz, said to be the rate of the audio.
        container: FFmpeg's name of it.
        codec: FFmpeg's name of it.
        pictures: codec of a further track of black pictures.
        layout: ``mono`` or ``stereo``; default: that of the audio.
        options: of the container.
        tracks: number of audio tracks.
    """
    given = "mono" if len(audio) == 1 else "stereo"
    with av.open(str(path), "w", format=container, options=dict(options or {})) as file:
        sounds = [file.add_stream(codec, rate=rate, layout=layout or given) for _ in range(tracks)]
        if pictures:
            shown = file.add_stream(pictures, rate=10)
            shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
            black = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
            file.mux([*shown.encode(black), *shown.encode(None)])
        for number, sound in enumerate(sounds):
            resampler = av.AudioResampler(format=sound.codec_context.format.name, layout=layout or given)
            for first in range(0, audio.shape[1], rate):
                block = np.ascontiguousarray(audio[:, first : first + rate], np.float32) / 2**number
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=given)
                frame.sample_rate, frame.pts = rate, first
                for resampled in resampler.resample(frame):
                    file.mux(sound.encode(resampled))
            file.mux(sound.encode(None))
    return path
