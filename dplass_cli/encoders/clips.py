"""Embedding clips of audio files: read ahead by several threads, embedded in batches, cached."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache, Vectors, embedding_key
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.embed_options import EmbeddingSettings, Identity
from dplass_cli.shards.addresses import address, shard_of
from dplass_cli.shards.shard_store import clip_sha256, shard_store
from dplass_cli.storage import Progress, file_sha256, no_progress

_LOOKUP_BATCH = 4096  # clips looked up in the cache at once
_KEYS_PER_TASK = 64  # clips identified by one task of the thread pool


class Clip(NamedTuple):
    """A range of an audio file.

    Attributes:
        wav: the file.
        start: seconds.
        end: seconds; None is the end of the file.
    """

    wav: Path
    start: float
    end: float | None


def embed_clips(
    clips: Iterable[Clip],
    encoder: QueryEncoder,
    cache: EmbeddingCache | None = None,
    settings: EmbeddingSettings | None = None,
    failed: dict[Clip, str] | None = None,
    progress: Progress = no_progress,
    total: int = 0,
) -> Iterator[tuple[Clip, Vectors]]:
    """Embed clips and yield each with its vector, float32 (D,), in order; memory does not grow with their number.

    Args:
        clips: distinct clips.
        encoder: embeds them.
        cache: vectors are read from and added to it; None embeds everything.
        settings: batch size and threads.
        failed: receives the clips that cannot be embedded, with the reason; None raises the first InputError.
        progress: called with the number of clips done.
        total: the number of clips, if ``clips`` has no length.
    """
    settings = settings or EmbeddingSettings()
    total = len(clips) if isinstance(clips, Sized) else total
    done, remaining = 0, iter(clips)
    with ThreadPoolExecutor(settings.readers) as pool:
        while part := list(islice(remaining, _LOOKUP_BATCH)):
            keys: dict[Clip, bytes | None] = {}
            found: dict[Clip, Vectors] = {}
            if cache is not None:
                keys = _keys(part, pool, cache.identity)
                known = {clip: key for clip, key in keys.items() if key is not None}
                cached = zip(known, cache.get(list(known.values())), strict=True)
                found = {clip: vector for clip, vector in cached if vector is not None}
            absent = [clip for clip in part if clip not in found]
            done += len(found)
            shard_store().expect(dict.fromkeys(filter(None, (shard_of(clip.wav) for clip in absent))))
            reading = _read_ahead(absent, encoder.sample_rate, pool, settings)
            while batch := list(islice(reading, settings.batch)):
                progress(done, total, "embedding clips")
                embedded = _embed(batch, encoder, failed)
                if cache is not None and embedded:
                    named = {clip: key for clip in embedded if (key := keys[clip]) is not None}
                    cache.add(list(named.values()), np.stack([embedded[clip] for clip in named]))
                found |= embedded
                done += len(batch)
            progress(done, total, "embedding clips")
            yield from ((clip, found[clip]) for clip in part if clip in found)


def _keys(clips: Sequence[Clip], pool: ThreadPoolExecutor, identity: Identity) -> dict[Clip, bytes | None]:
    """The keys of clips; each task computes many, since most take less time than starting a task."""
    shares = [clips[first : first + _KEYS_PER_TASK] for first in range(0, len(clips), _KEYS_PER_TASK)]
    found = pool.map(lambda share: [clip_key(clip, identity) for clip in share], shares)
    return dict(zip(clips, chain.from_iterable(found), strict=True))


def clip_key(clip: Clip, identity: Identity) -> bytes | None:
    """The key of a clip in its encoder's cache; None if the file cannot be identified because it is missing."""
    known: tuple[object, ...]
    try:
        if shard_of(clip.wav) is not None:  # its name contains its size and checksum
            known = (clip_sha256(clip.wav) if identity == "content" else address(clip.wav),)
        else:
            state = clip.wav.stat()
            known = (clip.wav.absolute(), state.st_size, state.st_mtime_ns)
            if identity == "content":
                known = (_content_sha256(*known),)
    except (OSError, InputError, RunError):
        return None  # reading it later reports what is wrong
    return embedding_key(identity, *known, clip.start, clip.end)


@lru_cache(maxsize=1 << 18)
def _content_sha256(path: Path, size: int, modified: int) -> str:
    """Hash a file once, although it may contain many clips."""
    return file_sha256(path)


def _read_ahead(
    clips: Sequence[Clip], sample_rate: int, pool: ThreadPoolExecutor, settings: EmbeddingSettings
) -> Iterator[tuple[Clip, Audio | InputError]]:
    """Read clips in order, two batches ahead of the consumer."""
    pending = ((clip, pool.submit(_read, clip, sample_rate)) for clip in clips)
    waiting = deque(islice(pending, 2 * settings.batch))
    while waiting:
        clip, audio = waiting.popleft()
        waiting.extend(islice(pending, 1))
        yield clip, audio.result()


def _read(clip: Clip, sample_rate: int) -> Audio | InputError:
    try:
        return read_mono(clip.wav, sample_rate, clip.start, clip.end)
    except InputError as error:
        return error


def _embed(
    batch: Sequence[tuple[Clip, Audio | InputError]], encoder: QueryEncoder, failed: dict[Clip, str] | None
) -> dict[Clip, Vectors]:
    """Embed the clips of a batch that could be read; record or raise the errors of the others."""
    readable = {clip: audio for clip, audio in batch if not isinstance(audio, InputError)}
    errors = {clip: audio for clip, audio in batch if isinstance(audio, InputError)}
    embedded: dict[Clip, Vectors] = {}
    if readable:
        waveforms = [torch.from_numpy(audio) for audio in readable.values()]
        vectors = encoder.embed_audio(waveforms, encoder.sample_rate).numpy()
        embedded = dict(zip(readable, vectors, strict=True))
    for clip in [clip for clip, vector in embedded.items() if not np.isfinite(vector).all()]:
        errors[clip] = InputError(f"{clip.wav}: its audio embedding is not finite; replace or remove the clip")
        del embedded[clip]
    for clip, error in errors.items():
        if failed is None:
            raise error
        failed[clip] = str(error)
    return embedded
