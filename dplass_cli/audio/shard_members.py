"""Decoding a clip in a shard, which is a flac or wav as ``prepare shards`` writes it."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.source import Audio, AudioInfo, DamagedAudio, EmptyAudio, NotAudio, ReadSamples
from dplass_cli.shards.addresses import ShardMember, address, member_of
from dplass_cli.shards.shard_store import shard_store

_SAFE_WAV_FORMATS = (b"\x01\x00", b"\x03\x00")  # integer and float samples


@dataclass(frozen=True)
class MemberSource:
    """A clip in a shard, in memory.

    Attributes:
        path: the clip.
        content: its audio file.
        info: its format and length.
    """

    path: Path
    content: bytes = field(repr=False)
    info: AudioInfo

    @contextlib.contextmanager
    def open(self, first: int = 0) -> Iterator[ReadSamples]:
        """Open the clip at a sample."""

        def read(size: int) -> Audio:
            try:
                return np.ascontiguousarray(stream.read(size, dtype="float32", always_2d=True).T)
            except soundfile.LibsndfileError as error:
                raise DamagedAudio(f"{address(self.path)}: damaged audio ({error}); replace or remove it") from error

        with soundfile.SoundFile(io.BytesIO(self.content)) as stream:
            if first:
                stream.seek(first)
            yield read


def member_source(path: Path) -> MemberSource | None:
    """A clip in a shard; None for files of their own.

    Raises:
        ShardError: its shard cannot be read.
        InputError: the clip is damaged, empty, or not a plain flac or wav.
    """
    member = member_of(path)
    return None if member is None else _opened(path, member)


# A training sample looks at its clip's length first, and may then try several segments.
@functools.lru_cache(maxsize=4)
def _opened(path: Path, member: ShardMember) -> MemberSource:
    content = shard_store().read(member)
    # Shards may come from anywhere, and libsndfile is not safe with every format.
    is_wav = content[:4] == b"RIFF" and content[8:16] == b"WAVEfmt " and content[20:22] in _SAFE_WAV_FORMATS
    if not is_wav and content[:4] != b"fLaC":
        raise NotAudio(f"{address(path)}: neither flac nor plain wav; prepare the shard again")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as stream:
            info = AudioInfo(stream.frames, stream.samplerate, stream.channels, stream.format, stream.subtype)
    except soundfile.LibsndfileError as error:
        raise NotAudio(f"{address(path)}: not readable audio ({error}); prepare the shard again") from error
    if info.frames <= 0:
        raise EmptyAudio(f"{address(path)}: contains no audio samples; replace or remove it")
    return MemberSource(path, content, info)
