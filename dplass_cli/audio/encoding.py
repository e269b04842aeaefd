"""Writing lossy files block by block with FFmpeg: mp3, opus and m4a, at a bitrate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import atomic_path

if TYPE_CHECKING:
    import av

NO_TAGS: Mapping[str, str] = MappingProxyType({})
_STEREO = {1: "mono", 2: "stereo"}
_AAC = {**_STEREO, 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
# Of four channels libopus knows these only, and of five FFmpeg's encoder exchanges three.
_OPUS = {**_STEREO, 3: "3.0", 4: "quad", 6: "5.1", 8: "7.1"}


class Encoding(NamedTuple):
    """A lossy format.

    Attributes:
        container: FFmpeg's name of it.
        codec: FFmpeg's name of the encoder.
        rates: the sample rates in Hz that the encoder takes.
        layouts: {channels that it can represent: FFmpeg's name of their speakers}.
        kbps: the default bitrate per channel, kbit/s.
        least: the smallest bitrate in all, kbit/s.
        most: the largest bitrate in all, kbit/s.
    """

    container: str
    codec: str
    rates: tuple[int, ...]
    layouts: Mapping[int, str]
    kbps: int
    least: int
    most: int


_COMMON_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
ENCODINGS = {
    ".mp3": Encoding("mp3", "libmp3lame", _COMMON_RATES, _STEREO, 96, 32, 320),
    ".opus": Encoding("opus", "libopus", (48000,), _OPUS, 64, 6, 510),
    ".m4a": Encoding("ipod", "aac", (*_COMMON_RATES, 64000, 88200, 96000), _AAC, 96, 16, 512),
}
"""{suffix: its encoding}. Bitrates of mp3 are those of MPEG-1 layer III."""


def encoding_of(path: Path, channels: int, bitrate: int | None) -> Encoding:
    """The encoding of a file by its suffix, one of :data:`ENCODINGS`.

    Raises:
        InputError: the format cannot represent so many channels, or not at this bitrate (kbit/s).
    """
    encoding = ENCODINGS[path.suffix.lower()]
    if channels not in encoding.layouts:
        raise InputError(f"{path}: {path.suffix} cannot represent {channels} channels; use --format wav or flac")
    if bitrate is not None and not encoding.least <= bitrate <= encoding.most:
        raise InputError(f"--bitrate {bitrate}: {path.suffix} takes {encoding.least} to {encoding.most} kbit/s")
    return encoding


@contextlib.contextmanager
def lossy_writer(
    path: Path, sample_rate: int, channels: int, bitrate: int | None = None, tags: Mapping[str, str] = NO_TAGS
) -> Iterator[Callable[[Audio], None]]:
    """Encode a file block by block: yields a function that appends a block, float32 (C, n).

    The file appears, complete, when the context ends without an error.

    Args:
        path: the suffix chooses the encoding.
        sample_rate: of the blocks, Hz.
        channels: C.
        bitrate: kbit/s of all channels; default: by the number of channels.
        tags: {FFmpeg's name: text}.

    Raises:
        InputError: as :func:`encoding_of`.
        RunError: the file cannot be written.
    """
    import av  # takes a tenth of a second

    encoding = encoding_of(path, channels, bitrate)
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w", format=encoding.container) as container:
                container.metadata.update(tags)
                encoder = AudioEncoder(container, encoding, sample_rate, channels, bitrate)
                yield encoder.add
                encoder.finish()
        except (av.FFmpegError, OSError) as error:
            raise RunError(f"{path}: writing failed ({error}); check the disk and run again") from error


class AudioEncoder:
    """Encodes blocks of samples as a track of a container that is being written.

    Args:
        container: FFmpeg's output container.
        encoding: the format of the track.
        sample_rate: of the blocks, Hz. Where the encoder does not take it, the track has the next higher rate that it
            takes, or the highest.
        channels: C.
        bitrate: kbit/s of all channels; default: by the number of channels.
        start: when the track begins, in seconds.
    """

    def __init__(
        self,
        container: av.container.OutputContainer,
        encoding: Encoding,
        sample_rate: int,
        channels: int,
        bitrate: int | None = None,
        start: float = 0.0,
    ) -> None:
        import av
        from av.audio.stream import AudioStream

        self._container, self._rate, self._layout = container, sample_rate, encoding.layouts[channels]
        rate = min((rate for rate in encoding.rates if rate >= sample_rate), default=max(encoding.rates))
        stream = container.add_stream(encoding.codec, rate=rate, layout=self._layout)
        assert isinstance(stream, AudioStream)
        stream.bit_rate = 1000 * (bitrate or min(encoding.most, encoding.kbps * channels))
        self._stream, codec = stream, stream.codec_context
        if not codec.is_open:
            codec.open()
        self._resampler = av.AudioResampler(codec.format, self._layout, codec.sample_rate, codec.frame_size or None)
        self._done = round(start * sample_rate)

    @property
    def seconds(self) -> float:
        """When the samples that were added end."""
        return self._done / self._rate

    def add(self, block: Audio) -> None:
        """Append a block, float32 (C, n)."""
        from av import AudioFrame

        # Interleaved: PyAV has no more than seven planes.
        samples = np.ascontiguousarray(block.T, dtype=np.float32).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, "flt", self._layout)
        frame.sample_rate, frame.pts = self._rate, self._done
        self._done += block.shape[1]
        self._encode(frame)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(piece))
