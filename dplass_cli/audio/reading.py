"""Reading and writing audio files with libsndfile (torchaudio has had no decoders of its own since 2.9)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dplass_cli.audio.probe import mp3_samples, unsafe_reason
from dplass_cli.errors import InputError
from dplass_cli.storage import require_file

Audio = npt.NDArray[np.float32]

_LOWEST_RATE, _HIGHEST_RATE = 1000, 1_000_000
_MOST_AT_ONCE = 1 << 27  # samples, half a gigabyte: 50 minutes of mono at 44.1 kHz


class UnsupportedAudio(InputError):
    """Audio of a kind that is not read here."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: ``frames`` a channel, ``sample_rate`` in Hz, ``subtype`` as libsndfile names it.

    ``estimated``: it does not say its length, which is reckoned from its size.
    """

    frames: int
    sample_rate: int
    channels: int
    format: str
    subtype: str
    estimated: bool = False

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.sample_rate


def audio_info(path: Path | str) -> AudioInfo:
    """Read the header of an audio file.

    Raises:
        InputError: the file is missing, empty, not audio, holds no samples, or has a rate beyond 1 kHz to 1 MHz.
    """
    path = require_file(path, "audio file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes); replace or remove it")
    try:
        if reason := unsafe_reason(path):
            raise UnsupportedAudio(f"{path}: {reason}, and so is not read; convert, replace or remove it")
        info = soundfile.info(str(path))
        counted = mp3_samples(path) if info.subtype == "MPEG_LAYER_III" else None
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{path}: not a readable audio file ({sndfile_reason(error)}); give wav, flac, ogg or mp3"
        ) from error
    if info.frames <= 0:
        raise InputError(f"{path}: holds no audio samples; replace or remove it")
    if not _LOWEST_RATE <= info.samplerate <= _HIGHEST_RATE:
        raise UnsupportedAudio(
            f"{path}: has a sample rate of {info.samplerate:,} Hz; {_LOWEST_RATE:,} to {_HIGHEST_RATE:,} Hz are read"
        )
    if counted == 0:
        raise UnsupportedAudio(
            f"{path}: an MP3 of variable bit rate that does not say how long it is would be cut; convert it to wav"
        )
    frames = info.frames if counted is None else min(info.frames, counted)
    indexed = info.format == "MP3" and info.subtype == "MPEG_LAYER_III" and counted is None
    estimated = info.subtype.startswith("MPEG") and not indexed
    return AudioInfo(frames, info.samplerate, info.channels, info.format, info.subtype, estimated)


def read_audio(path: Path | str, start: float = 0.0, end: float | None = None) -> tuple[Audio, int]:
    """Read [``start``, ``end``) seconds of a file, seeking to it: only these frames are decoded.

    Returns:
        (samples float32 (channels, frames), sample rate in Hz). A range that ends after the file is cut there.

    Raises:
        InputError: the file is missing, empty, not audio, damaged, the range begins after its end, or holds more than
            134 million samples, which are read in ranges or streamed.
    """
    info = audio_info(path)
    first = round(min(info.frames, start * info.sample_rate))
    last = info.frames if end is None else round(min(info.frames, end * info.sample_rate))
    if not 0 <= first < last:
        raise InputError(f"{path}: no audio between {start} s and {end} s (the file has {info.seconds:.3f} s)")
    _require_bearable(path, (last - first) * info.channels)
    try:
        samples, rate = soundfile.read(str(path), start=first, stop=last, dtype="float32", always_2d=True)
    except DAMAGED as error:
        raise InputError(f"{path}: damaged audio ({sndfile_reason(error)}); replace or remove it") from error
    require_whole(path, info, last - first - len(samples))
    audio: Audio = fit_length(np.ascontiguousarray(samples.T), last - first)
    if not np.isfinite(audio).all():
        raise InputError(f"{path}: holds samples that are not numbers (NaN or infinite); replace or remove it")
    return audio, int(rate)


def read_mono(path: Path | str, sample_rate: int, start: float = 0.0, end: float | None = None) -> Audio:
    """Read a range as mono (mean of the channels) at ``sample_rate`` Hz: float32 (frames,).

    Raises:
        InputError: as :func:`read_audio`.
    """
    from dplass_cli.audio.resampling import resample  # torch: headers are read without it

    audio, rate = read_audio(path, start, end)
    _require_bearable(path, audio.shape[1] * sample_rate // rate)
    mono: Audio = audio.mean(axis=0, dtype=np.float32) if len(audio) > 1 else audio[0]
    return resample(mono, rate, sample_rate)


def _require_bearable(path: Path | str, samples: int) -> None:
    """Refuse what would not fit into memory at once: a header can promise, and a small file hold, days of silence."""
    if samples > _MOST_AT_ONCE:
        raise InputError(
            f"{path}: {samples / 1e6:,.0f} million samples are too many to be read at once (at most"
            f" {_MOST_AT_ONCE / 1e6:,.0f}); cut it, or take ranges of it"
        )


def require_whole(path: Path | str, info: AudioInfo, missing: int) -> None:
    """Refuse a file that ends so many samples before its header says.

    Raises:
        InputError: it does.
    """
    if missing > 0 and not info.estimated:
        seconds = missing / info.sample_rate
        raise InputError(f"{path}: ends {seconds:.3f} s before its header says; replace or remove it")


def fit_length(audio: Audio, length: int) -> Audio:
    """Cut or zero-pad at the end to ``length`` samples along the last axis."""
    if audio.shape[-1] >= length:
        return audio[..., :length]
    return np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(0, length - audio.shape[-1])])


DAMAGED = (soundfile.LibsndfileError, ValueError)
"""What reading damaged audio raises; the second where its end is found before what is sought."""


def sndfile_reason(error: Exception) -> str:
    """What libsndfile says is wrong."""
    return str(getattr(error, "error_string", error)).rstrip(". ")
