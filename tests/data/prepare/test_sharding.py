"""Shards of a manifest: complete, resumable, verified, and readable by WebDataset's own library."""

from __future__ import annotations

import csv
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_shards import RATE, tones

from dplass_cli.audio.reading import audio_info, read_audio, read_mono
from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.data.prepare import sharding
from dplass_cli.data.prepare.sharding import ShardsResult, write_shards
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import ShardsOptions
from dplass_cli.shards.shard_index import read_index
from dplass_cli.storage import file_sha256, no_progress


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    return tones(tmp_path)


@pytest.fixture
def options(tmp_path: Path) -> ShardsOptions:
    return ShardsOptions(tmp_path / "train.json", tmp_path / "shards", size="50kB", convert="32k-mono-wav")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in folder.iterdir() if path.name != ".lock"}


def stop_after(shards: int, clips: int = 3) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, what: str) -> None:
        if what == "writing shards" and done == shards * clips:
            raise KeyboardInterrupt

    return progress


def test_the_clips_are_those_of_the_manifest(rows: list[Row], options: ShardsOptions) -> None:
    result = write_shards(rows, options)
    assert replace(result, bytes=0) == ShardsResult(str(options.output / "manifest.json"), 4, 4, 12, 12, 0, 0)
    written = {row.id: row for row in read_manifest(options.output / "manifest.json")}
    assert {id: row.caption for id, row in written.items()} == {row.id: row.caption for row in rows}
    for row in rows:
        assert np.array_equal(read_audio(written[row.id].wav)[0], read_audio(row.wav)[0])


def test_weights_and_sources_are_kept(rows: list[Row], options: ShardsOptions) -> None:
    write_shards([replace(rows[0], weight=3.0, source="generated"), *rows[1:]], options)
    written = {row.id: row for row in read_manifest(options.output / "manifest.json")}
    assert (written[rows[0].id].weight, written[rows[0].id].source) == (3.0, "generated")
    assert all(written[row.id].weight == 1 and not written[row.id].source for row in rows[1:])


def test_clips_are_in_random_order(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, options)
    write_shards(rows, replace(options, output=options.output.with_name("other"), seed=1))
    orders = [
        [row.id for row in read_manifest(options.output.with_name(name) / "manifest.json")]
        for name in ("shards", "other")
    ]
    assert orders[0] != [row.id for row in rows]
    assert orders[0] != orders[1]


def test_clips_are_converted_to_one_form(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, replace(options, convert="16k-mono-flac"))
    first = read_manifest(options.output / "manifest.json")[0]
    info = audio_info(first.wav)
    assert (info.format, info.subtype, info.sample_rate, info.channels) == ("FLAC", "PCM_16", 16000, 1)


def test_only_the_range_of_a_row_is_stored(rows: list[Row], options: ShardsOptions) -> None:
    write_shards([replace(rows[0], start=0.05, end=0.2)], options)
    (row,) = read_manifest(options.output / "manifest.json")
    assert (row.start, row.end) == (0.0, None)
    assert np.array_equal(read_mono(row.wav, RATE), read_mono(rows[0].wav, RATE, 0.05, 0.2))


def test_a_clip_with_several_captions_is_stored_once(rows: list[Row], options: ShardsOptions) -> None:
    result = write_shards([rows[0], replace(rows[0], caption="another", labels=("/m/1",))], options)
    assert (result.clips, result.rows) == (1, 2)
    found = read_manifest(options.output / "manifest.json")
    assert [(row.caption, row.labels) for row in found] == [("tone 0", ()), ("another", ("/m/1",))]
    assert found[0].wav == found[1].wav
    with tarfile.open(options.output / "clips-000000.tar") as tar:
        described = json.load(tar.extractfile("000000000.json"))  # type: ignore[arg-type]
    assert described == {
        **{"id": "tone0", "caption": "tone 0", "captions": ["tone 0", "another"], "labels": ["/m/1"]},
        **{"sample_rate": RATE, "seconds": 0.25},
    }


def test_an_interrupted_run_is_resumed_with_the_same_result(rows: list[Row], options: ShardsOptions) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_shards(rows, options, stop_after(2))
    assert not (options.output / "manifest.json").exists()
    assert write_shards(rows, options).written == 2
    undisturbed = replace(options, output=options.output.with_name("undisturbed"))
    write_shards(rows, undisturbed)
    assert contents(options.output) == contents(undisturbed.output)


def test_complete_shards_are_not_written_again(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, options)
    assert write_shards(rows, options).written == 0


def test_a_missing_shard_is_written_again(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, options)
    before = contents(options.output)
    (options.output / "clips-000001.tar").unlink()
    (options.output / "clips-000002.jsonl").unlink()
    assert write_shards(rows, options).written == 2
    assert contents(options.output) == before


def test_verify_writes_a_damaged_shard_again(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, options)
    before = contents(options.output)
    path = options.output / "clips-000001.tar"
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    assert write_shards(rows, options).written == 0
    assert write_shards(rows, replace(options, verify=True)).written == 1
    assert contents(options.output) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "60kB"}, "contains shards with another size"),
        ({"seed": 1}, "contains shards with another seed"),
        ({"convert": "32k-mono-flac"}, "contains shards with another form"),
    ],
)
def test_shards_of_other_settings_are_not_continued(
    rows: list[Row], options: ShardsOptions, change: dict[str, str], message: str
) -> None:
    write_shards(rows, options)
    with pytest.raises(InputError, match=f"{message}; choose another --output"):
        write_shards(rows, replace(options, **change))


def test_shards_of_another_manifest_are_not_continued(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, options)
    with pytest.raises(InputError, match="contains shards with clips of another manifest"):
        write_shards(rows[1:], options)


def test_unreadable_clips_are_left_out_and_listed(rows: list[Row], options: ShardsOptions) -> None:
    rows[3].wav.write_bytes(b"no audio")
    result = write_shards(rows, options)
    assert (result.clips, result.rejected) == (11, 1)
    with open(options.output / "rejects.csv", newline="") as stream:
        (rejected,) = csv.DictReader(stream)
    assert rejected["wav"] == str(rows[3].wav)
    assert "not a readable audio file" in rejected["reason"]


def test_a_clip_too_long_to_keep_in_memory_is_left_out(
    rows: list[Row], options: ShardsOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "LONGEST", 0.2)
    with pytest.raises(InputError, match="none of its 12 clips can be read"):
        write_shards(rows, options)
    assert "is longer than 0.2 s; cut it with" in (options.output / "clips-000000.jsonl").read_text()


def test_too_many_unreadable_clips_end_the_run(tmp_path: Path, options: ShardsOptions) -> None:
    rows = [Row(tmp_path / f"{number}.wav", "x", id=str(number)) for number in range(100)]
    with pytest.raises(InputError, match=r"100 of 100 clips cannot be read \(--max-missing 0\.5\)"):
        write_shards(rows, options)


def test_shards_are_written_to_an_address_and_resumed_there(
    rows: list[Row], options: ShardsOptions, tmp_path: Path
) -> None:
    remote = replace(options, output=Path(f"memory://{tmp_path.name}/shards"))
    with pytest.raises(KeyboardInterrupt):
        write_shards(rows, remote, stop_after(2))
    result = write_shards(rows, replace(remote, verify=True))
    assert (result.shards, result.written, result.manifest) == (4, 2, f"memory://{tmp_path.name}/shards/manifest.json")
    write_shards(rows, options)
    assert read_index(remote.output) == read_index(options.output)
    found = read_manifest(remote.output / "manifest.json")
    assert [row.id for row in found] == [row.id for row in read_manifest(options.output / "manifest.json")]


def test_shards_can_be_made_of_shards(rows: list[Row], options: ShardsOptions) -> None:
    write_shards(rows, options)
    again = replace(options, output=options.output.with_name("again"), convert="32k-mono-flac", size="1GB")
    result = write_shards(read_manifest(options.output / "manifest.json"), again)
    assert (result.shards, result.clips) == (1, 12)


def test_a_manifest_of_shards_survives_being_written_again(
    rows: list[Row], options: ShardsOptions, tmp_path: Path
) -> None:
    write_shards(rows, options)
    found = read_manifest(options.output / "manifest.json")
    write_manifest(tmp_path / "elsewhere" / "train.json", found)
    assert read_manifest(tmp_path / "elsewhere" / "train.json") == found


@pytest.mark.filterwarnings("ignore")
def test_webdataset_reads_the_shards(rows: list[Row], options: ShardsOptions) -> None:
    webdataset = pytest.importorskip("webdataset")
    write_shards(rows, options, no_progress)
    shards = [str(path) for path in sorted(options.output.glob("*.tar"))]
    found = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert sorted(json.loads(item["json"])["id"] for item in found) == sorted(row.id for row in rows)
    assert all(item["wav"][:4] == b"RIFF" for item in found)
