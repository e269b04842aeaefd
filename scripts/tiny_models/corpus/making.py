"""The rules by which a clip is made from recordings: mixdown, trimming, level, the loudest part, takes in sequence.

Audio is a one-dimensional float32 array of one channel, if nothing else is stated.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dplass_cli.audio.resampling import resample

Audio = npt.NDArray[np.float32]

HIGHEST_RATE = 44100
SILENCE_DB = -60.0  # below the peak
MARGIN = 0.005  # seconds kept before and after what is louder
PEAK = 0.9
MOST_GAIN_DB = 20.0
SHORTEST = 0.25  # seconds; shorter takes are joined
LONGEST = 8.0
PART = 6.0  # length of each part of a recording that gives several
TWO_PARTS_FROM = 14.0  # length of the recording
THREE_PARTS_FROM = 40.0
GRID = 0.1  # seconds between the places at which a part may begin
MUSIC_PART = 7.0
MUSIC_STARTS = (0.2, 0.45, 0.7)  # of the length of the track
GAPS = (0.2, 1.2)  # seconds between takes
SPEECH_GAPS = (0.2, 0.8)
SEQUENCE = 1.5  # least length of a sequence of short takes
LEVEL_CHANGE_DB = 3.0  # of a repeated take
QUALITY = 0.5  # of Vorbis
MP3_FRAME = b"\xff\xfb"  # begins a frame of MPEG 1, layer III
# Channels cancel where their mean has this much less energy than the louder one. One silent channel gives -6 dB.
CANCELLED_DB = -7.0


def decode(content: bytes) -> tuple[Audio, int]:
    """A recording as one channel of at most :data:`HIGHEST_RATE`, and its sample rate.

    Raises:
        soundfile.LibsndfileError: it doesn't decode.
    """
    try:
        channels, rate = _read(content)
    except soundfile.LibsndfileError:
        if MP3_FRAME not in content:
            raise
        channels, rate = _read(content[content.index(MP3_FRAME) :])  # skips a damaged tag
    audio = mix_down(channels)
    if rate > HIGHEST_RATE:
        audio, rate = resample(audio, rate, HIGHEST_RATE), HIGHEST_RATE
    return audio, rate


def _read(content: bytes) -> tuple[npt.NDArray[np.float32], int]:
    """Audio of (samples, channels), and its sample rate."""
    channels, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return channels, rate


def mix_down(channels: npt.NDArray[np.float32]) -> Audio:
    """The mean of the channels, or the loudest channel where they cancel each other.

    Args:
        channels: (samples, channels).
    """
    mixed = channels.mean(axis=1)
    energies = np.square(channels).mean(axis=0)
    if np.square(mixed).mean() < energies.max() * 10 ** (CANCELLED_DB / 10):
        mixed = channels[:, energies.argmax()]
    return np.ascontiguousarray(mixed, dtype=np.float32)


def trim(audio: Audio, rate: int) -> Audio:
    """Without the mean and without silence at both ends: :data:`SILENCE_DB` below the peak, but for a margin."""
    if not audio.any():
        return audio[:0]
    centred = audio - audio.mean()
    level = np.abs(centred)
    loud = np.flatnonzero(level > level.max() * 10 ** (SILENCE_DB / 20))
    margin = round(MARGIN * rate)
    trimmed: Audio = centred[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    return trimmed


def set_level(audio: Audio) -> Audio:
    """Scaled to a peak of :data:`PEAK`, but amplified by at most :data:`MOST_GAIN_DB`."""
    peak = float(np.abs(audio).max(initial=0.0))
    gain = min(PEAK / peak, 10 ** (MOST_GAIN_DB / 20)) if peak else 1.0
    return (audio * gain).astype(np.float32)


def loudest_start(audio: Audio, rate: int, length: int) -> int:
    """First sample of the part of ``length`` samples that has the most energy; it lies on :data:`GRID`."""
    if audio.size <= length:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    starts = np.arange(0, audio.size - length + 1, round(GRID * rate))
    return int(starts[np.argmax(energy[starts + length] - energy[starts])])


def cut_parts(audio: Audio, rate: int) -> list[Audio]:
    """The parts of a trimmed recording: itself, its loudest part, or that of each half or third of a long one."""
    seconds = audio.size / rate
    if seconds <= LONGEST:
        return [audio]
    count = 1 + (seconds > TWO_PARTS_FROM) + (seconds > THREE_PARTS_FROM)
    length = round((PART if count > 1 else LONGEST) * rate)
    bounds = np.linspace(0, audio.size, count + 1).astype(int)
    stretches = [audio[a:b] for a, b in itertools.pairwise(bounds)]
    starts = [loudest_start(stretch, rate, length) for stretch in stretches]
    return [stretch[start : start + length] for stretch, start in zip(stretches, starts, strict=True)]


def cut_music(audio: Audio, rate: int) -> list[Audio]:
    """Excerpts of :data:`MUSIC_PART` seconds of a track that is not trimmed."""
    starts = [round(share * audio.size) for share in MUSIC_STARTS]
    return [audio[start : start + round(MUSIC_PART * rate)] for start in starts]


def join(takes: Sequence[Audio], gaps: Sequence[float], rate: int) -> Audio:
    """Takes one after the other, with silence between them.

    Args:
        takes: at least one take.
        gaps: seconds of silence before each take but the first.
        rate: sample rate of all takes.
    """
    pieces = [takes[0]]
    for gap, take in zip(gaps, takes[1:], strict=True):
        pieces += [np.zeros(round(gap * rate), np.float32), take]
    return np.concatenate(pieces)[: round(LONGEST * rate)]


def certain_parts(takes: Sequence[Audio], rate: int) -> list[Audio]:
    """What a sequence contains of each take for any choice of gaps, given that it ends after :data:`LONGEST`."""
    left, parts = round(LONGEST * rate), list[Audio]()
    for take in takes:
        parts.append(take[: max(0, left)])
        left -= take.size + round(max(*GAPS, *SPEECH_GAPS) * rate)
    return [part for part in parts if part.size]


def join_prompts(takes: Sequence[Audio], rate: int, random: np.random.Generator) -> Audio:
    """Prompts of one speaker, once each and in order."""
    return join([set_level(take) for take in takes], list(random.uniform(*SPEECH_GAPS, len(takes) - 1)), rate)


def join_repeats(takes: Sequence[Audio], rate: int, random: np.random.Generator) -> Audio:
    """Short takes of one sound, in turn and at changing levels, until they fill :data:`SEQUENCE`."""
    played, gaps = [set_level(takes[0])], list[float]()
    length = takes[0].size / rate
    while len(played) < len(takes) or length < SEQUENCE:
        take, gap = takes[len(played) % len(takes)], random.uniform(*GAPS)
        played.append(set_level(take) * np.float32(10 ** (-random.uniform(0, LEVEL_CHANGE_DB) / 20)))
        gaps.append(gap)
        length += gap + take.size / rate
    return join(played, gaps, rate)


def write_clip(path: Path, audio: Audio, rate: int) -> None:
    """Write a clip as Ogg Vorbis."""
    soundfile.write(path, audio, rate, format="OGG", subtype="VORBIS", compression_level=1 - QUALITY)
