from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.shards.addresses import ShardMember, address, is_remote, located, member_name, member_of, shard_of


@pytest.mark.parametrize("url", ["s3://bucket/train.json", "https://host:80/a/b.tar", "hf://datasets/owner/name/x"])
def test_an_address_survives_being_a_path(url: str) -> None:
    assert is_remote(Path(url))
    assert address(Path(url)) == url
    assert address(Path(url).parent / "other") == url.rpartition("/")[0] + "/other"


@pytest.mark.parametrize("path", ["clips/a.wav", "/data/a.wav", "C:/data/a.wav", "file:///data/a.wav"])
def test_other_paths_are_not_addresses(path: str) -> None:
    assert not is_remote(Path(path))


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address("a.wav") == str(tmp_path / "a.wav")


def test_names_in_a_table_are_addresses_absolute_or_relative_to_it() -> None:
    folder = Path("/tables")
    assert located(folder, "s3://bucket/a.tar") == Path("s3:/bucket/a.tar")
    assert located(folder, "/clips/a.wav") == Path("/clips/a.wav")
    assert located(folder, "a.wav") == Path("/tables/a.wav")


def test_the_name_of_a_clip_says_where_its_bytes_are() -> None:
    path = Path("s3://bucket/clips-000012.tar") / member_name("000000007", 1536, 31842, 0x9A3B11FF, ".flac")
    assert path.name == "000000007@1536-31842-9a3b11ff.flac"
    assert member_of(path) == ShardMember(Path("s3://bucket/clips-000012.tar"), 1536, 31842, 0x9A3B11FF)
    assert shard_of(path) == Path("s3://bucket/clips-000012.tar")


@pytest.mark.parametrize(
    "path", ["folder/7@1536-31842-9a3b11ff.flac", "a.tar/7.flac", "a.tar/7@1-2-3.flac", "a.tar/7@1-2-9a3b11ff.mp3"]
)
def test_other_files_are_not_clips_of_a_shard(path: str) -> None:
    assert member_of(Path(path)) is None
    assert shard_of(Path(path)) is None
