"""The embedding cache: what is put in comes out, from several processes, after kills and damage."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import needs_fork

from dplass_cli.encoders import load_encoder
from dplass_cli.encoders.cache import EmbeddingCache, Vectors, embedding_key
from dplass_cli.errors import InputError


class Named:
    """As much of an encoder as the cache looks at."""

    name, size, sample_rate, windows = "n", 4, 8000, "w"

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        self.fingerprint = fingerprint


def opened(folder: Path, fingerprint: str = "f" * 64) -> EmbeddingCache:
    return EmbeddingCache(folder, Named(fingerprint))  # type: ignore[arg-type]


def vector(number: int) -> Vectors:
    return np.random.default_rng(number).normal(size=4).astype(np.float32)


def key(number: int) -> bytes:
    return embedding_key("clip", number)


def put(cache: EmbeddingCache, *numbers: int) -> None:
    cache.add([key(number) for number in numbers], np.stack([vector(number) for number in numbers]))


def holds(cache: EmbeddingCache, *numbers: int) -> None:
    for number, found in zip(numbers, cache.get([key(number) for number in numbers]), strict=True):
        assert found is not None, number
        np.testing.assert_array_equal(found, vector(number))


def test_added_embeddings_are_found_and_hits_are_counted(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    assert cache.get([key(1)]) == [None]
    put(cache, 1, 2)
    put(cache, 3)
    assert cache.get([key(1)]) == [None]  # not seen before a refresh
    cache.refresh()
    holds(cache, 3, 1, 2, 1)
    assert (cache.hits, len(cache)) == (4, 3)
    again = opened(tmp_path)
    holds(again, 1, 2, 3)
    assert again.vectors.shape == (3, 4)
    assert again.get([]) == []


def test_each_encoder_sees_only_its_own_embeddings(tmp_path: Path) -> None:
    put(opened(tmp_path), 1)
    other = opened(tmp_path, "e" * 64)
    assert other.get([key(1)]) == [None]
    holds(opened(tmp_path), 1)


def test_the_identity_is_kept_and_another_is_refused(tmp_path: Path) -> None:
    encoder = load_encoder()
    assert EmbeddingCache(tmp_path / "new", encoder).identity == "path"
    EmbeddingCache(tmp_path / "content", encoder, "content")
    assert EmbeddingCache(tmp_path / "content", encoder).identity == "content"
    assert EmbeddingCache(tmp_path / "content", encoder, "content").identity == "content"
    with pytest.raises(InputError, match="identifies files by content, not by path; omit the identity"):
        EmbeddingCache(tmp_path / "content", encoder, "path")


def test_an_old_cache_without_an_identity_takes_the_first_one_given(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    put(cache, 1)
    described = cache.folder / "cache.json"
    described.write_text(json.dumps({k: v for k, v in json.loads(described.read_text()).items() if k != "identity"}))
    holds(EmbeddingCache(tmp_path, Named(), "content"), 1)  # type: ignore[arg-type]
    assert opened(tmp_path).identity == "content"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=9, unique=True), max_size=6))
def test_embeddings_are_found_whatever_their_order(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    for part in parts:
        put(opened(folder), *part)
    cache, added = opened(folder), {number for part in parts for number in part}
    holds(cache, *added)
    assert cache.get([key(number) for number in range(40, 60)]) == [None] * 20


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 47, 48, 100])
@pytest.mark.parametrize("name", ["vectors.f32", "keys.bin"])
def test_a_torn_tail_loses_only_the_incomplete_rows(tmp_path: Path, name: str, cut: int) -> None:
    cache = opened(tmp_path)
    for number in range(6):
        put(cache, number)
    path = cache.folder / name
    width = {"vectors.f32": 16, "keys.bin": 48}[name]
    os.truncate(path, max(0, path.stat().st_size - cut))
    left = max(0, 6 - -(-cut // width))
    again = opened(tmp_path)
    holds(again, *range(left))
    assert again.get([key(number) for number in range(left, 6)]) == [None] * (6 - left)
    put(again, *range(left, 6))
    holds(opened(tmp_path), *range(6))


def test_damaged_rows_are_absent_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(opened(tmp_path), 0, 1, 2)
    cache = opened(tmp_path)
    for name, place in (("vectors.f32", 1 * 16 + 3), ("keys.bin", 2 * 48 + 5)):
        content = bytearray((cache.folder / name).read_bytes())
        content[place] ^= 0xFF
        (cache.folder / name).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = opened(tmp_path)
        assert [found is None for found in again.get([key(0), key(1), key(2)])] == [False, True, True]
    assert "1 damaged records" in caplog.text
    assert "1 damaged embeddings are computed again" in caplog.text
    put(again, 1, 2)
    holds(opened(tmp_path), 0, 1, 2)


@pytest.mark.parametrize("content", ["", "{", '{"format": "other"}', '{"identity": []}', "[]"])
def test_a_cache_of_another_format_starts_over_and_is_logged(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = opened(tmp_path)
    put(cache, 1)
    (cache.folder / "cache.json").write_text(content)
    with caplog.at_level(logging.WARNING):
        again = opened(tmp_path)
    assert "embeddings are computed again" in caplog.text
    assert again.get([key(1)]) == [None]
    put(again, 1)
    holds(opened(tmp_path), 1)


def _fill(folder: Path, start: int) -> None:
    cache = opened(folder)
    for number in range(start, start + 40):
        put(cache, number)


def test_a_temporarily_unreadable_cache_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(opened(tmp_path), 1, 2)

    def stale(path: Path, *arguments: object, **options: object) -> str:
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", stale)
        with pytest.raises(InputError, match="cannot read"):
            opened(tmp_path)
    holds(opened(tmp_path), 1, 2)


@needs_fork
def test_several_processes_add_to_one_array(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_fill, args=(tmp_path, 40 * child)) for child in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    cache = opened(tmp_path)
    assert len(cache) == 160
    holds(cache, *range(160))


@needs_fork
def test_kills_at_random_times_lose_nothing_that_was_added(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    random.seed(4)
    for start in range(0, 400, 40):
        child = context.Process(target=_fill, args=(tmp_path, start))
        child.start()
        time.sleep(random.uniform(0.0, 0.05))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        cache = opened(tmp_path)
        kept = [n for n in range(start, start + 40) if cache.find([key(n)])[0] >= 0]
        assert kept == list(range(start, start + len(kept)))  # what is there is a beginning
        holds(cache, *kept)
    _fill(tmp_path, 0)
    holds(opened(tmp_path), *range(40))


@pytest.mark.slow
def test_two_million_rows(tmp_path: Path) -> None:
    numbers = np.arange(2_000_000)
    cache = opened(tmp_path)
    for part in np.array_split(numbers, 20):
        cache.add([key(number) for number in part], part[:, None].repeat(4, axis=1).astype(np.float32))
    again = opened(tmp_path)
    assert again.vectors.shape == (2_000_000, 4)
    wanted = np.random.default_rng(0).permutation(numbers)[:100_000]
    np.testing.assert_array_equal(again.find([key(number) for number in wanted]), wanted)
    found = again.get([key(number) for number in wanted[:1000]])
    assert all(vector is not None and vector[0] == number for vector, number in zip(found, wanted, strict=False))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot create this folder"):
        EmbeddingCache(tmp_path / "file", load_encoder())


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock can be created, as on a read-only disk."""

    def refuse(path: Path, *flags: int) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(os, "open", refuse)


def test_a_cache_that_cannot_be_written_is_read(
    tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    put(opened(tmp_path), 1, 2)
    request.getfixturevalue("read_only")
    with caplog.at_level(logging.INFO, logger="dplass_cli"):
        cache = opened(tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: cannot be written; its embeddings are used, and new ones are not kept"
    ]
    put(cache, 3)
    holds(cache, 1, 2)
    cache.refresh()
    assert len(cache) == 2
    with pytest.raises(InputError, match="cannot write there"):
        EmbeddingCache(tmp_path, Named(), writable=True)  # type: ignore[arg-type]


def test_an_empty_folder_that_cannot_be_written_is_an_empty_cache(tmp_path: Path, read_only: None) -> None:
    cache = opened(tmp_path)
    put(cache, 1)
    assert cache.get([key(1)]) == [None]
