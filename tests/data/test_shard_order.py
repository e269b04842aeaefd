from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dplass_cli.data.shard_order import EpochOrder, ShardOrder, ShardPools
from dplass_cli.shards.addresses import member_name, shard_of


def clips(shards: int, clips_each: int) -> list[Path]:
    return [
        Path(f"clips-{number:06d}.tar") / member_name(f"{clip:09d}", 512, 100, 0, ".flac")
        for number in range(shards)
        for clip in range(clips_each)
    ]


def epoch(paths: list[Path], streams: int, together: int, seed: int = 1) -> EpochOrder:
    return ShardOrder(paths, [1.0] * len(paths), streams, together).epoch(np.random.default_rng(seed))


def shards_of(paths: list[Path], order: npt.NDArray[np.int64]) -> list[Path | None]:
    return [shard_of(paths[number]) for number in order]


def test_every_target_occurs_once() -> None:
    paths = [*clips(7, 5), *(Path(f"{number}.wav") for number in range(10))]
    for streams, together in ((1, 1), (3, 2), (10, 4)):
        assert sorted(epoch(paths, streams, together).order) == list(range(45))


def test_an_epoch_is_a_function_of_its_seed() -> None:
    paths = clips(7, 5)
    first, second, other = (epoch(paths, 2, 2, seed) for seed in (1, 1, 2))
    assert (first.order == second.order).all()
    assert (first.order != other.order).any()


def test_files_of_their_own_are_in_random_order() -> None:
    paths = [Path(f"{number}.wav") for number in range(20)]
    found = epoch(paths, 2, 2, 5)
    assert (found.order == np.random.default_rng(5).permutation(20)).all()
    assert found.groups == ((),)


def test_consecutive_samples_come_from_few_shards() -> None:
    paths = clips(8, 50)
    found = epoch(paths, 1, 2)
    shards = shards_of(paths, found.order)
    for first in range(0, 400, 100):
        assert len(set(shards[first : first + 100])) == 2


def test_each_process_reads_shards_of_its_own() -> None:
    paths = clips(8, 50)
    shards = shards_of(paths, epoch(paths, 4, 1).order)
    read = [set(shards[rank::4]) for rank in range(4)]
    assert all(len(own) == 2 for own in read)
    assert len(set.union(*read)) == 8


def test_the_groups_of_a_stream_follow_one_another() -> None:
    found = epoch(clips(8, 5), 2, 2)
    assert found.following == (1, None, 3, None)
    assert all(len(group) == 2 for group in found.groups)


def test_the_group_of_a_sample_contains_its_shard() -> None:
    paths = clips(9, 4)
    found = epoch(paths, 2, 2)
    for number, group in zip(found.order, found.group_of, strict=True):
        assert shard_of(paths[number]) in found.groups[group]


def test_a_pool_has_the_clips_of_the_group_and_files_of_their_own() -> None:
    paths = [*clips(3, 2), Path("rain.wav")]
    pools = ShardPools(paths)
    assert sorted(pools.of((Path("clips-000001.tar"),))) == [2, 3, 6]
    assert sorted(pools.of((Path("clips-000009.tar"),))) == [6]


def test_targets_are_drawn_by_their_weights() -> None:
    paths = [*clips(2, 100), *(Path(f"{number}.wav") for number in range(100))]
    weights = [3.0] * 100 + [0.0] * 100 + [1.0] * 100
    found = ShardOrder(paths, weights, 2, 1).epoch(np.random.default_rng(1))
    assert len(found.order) == len(found.group_of) == 300
    drawn = np.bincount(found.order, minlength=300).reshape(3, 100).sum(axis=1)
    assert drawn[1] == 0
    assert abs(drawn[0] - 225) < 20
