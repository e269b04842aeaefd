"""``embed`` and what it leaves: resumed after kills, shared among processes, complete at the end."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.cli import app
from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.domains.features import caption_features, sorted_rows
from dplass_cli.encoders import clips, load_encoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.errors import InputError
from dplass_cli.options.embed_options import EmbeddingSettings, EmbedOptions
from dplass_cli.pipelines.embed import embed
from dplass_cli.sounds import render
from dplass_cli.storage import no_progress
from dplass_cli.training.corpus import embed_queries


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips of several rates and lengths in sixteen rows."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number, name in enumerate(("dog_bark", "rain", "siren", "flute")):
        for seed in range(3):
            rate, seconds = (16000, 32000, 44100)[seed], 0.6 + 0.7 * seed
            path = folder / f"{name}{seed}.wav"
            write_audio(path, render(name, 3000 + seed, seconds, rate)[None], rate, "PCM_16")
            rows.append(Row(path, name, id=path.stem))
        rows.append(Row(rows[-1].wav, f"{name} again", id="again", start=0.25 if number % 2 else 0.0, end=None))
    write_manifest(folder / "train.json", rows)
    return folder / "train.json"


def aligned(folder: Path) -> Any:
    """The vector of each row of the manifest, as ``embeddings.json`` says where they are."""
    described = json.loads((folder / "embeddings.json").read_text())
    vectors = np.memmap(folder / described["vectors"], np.float32, "r").reshape(-1, described["size"])
    return vectors[np.load(folder / "rows.npy")]


@pytest.fixture(scope="module")
def uninterrupted(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("uninterrupted")
    result = embed(EmbedOptions(manifest, folder, device="cpu"))
    assert (result.rows, result.clips, result.hits, result.embedded, result.failed) == (16, 14, 0, 14, {})
    assert result.complete
    return aligned(folder)


def test_vectors_are_the_encoders_own_in_the_order_of_the_manifest(manifest: Path, uninterrupted: Any) -> None:
    import torch

    encoder = load_encoder()
    for row, vector in zip(json.loads(manifest.read_text())["data"], uninterrupted, strict=True):
        audio, rate = read_audio(manifest.parent / row["wav"], row.get("start", 0.0), row.get("end"))
        expected = encoder.embed_audio(torch.from_numpy(audio), rate)[0].numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("identity", ["path", "content"])
def test_any_batch_gives_the_same_and_the_second_run_finds_all(
    manifest: Path, uninterrupted: Any, tmp_path: Path, batch: int, identity: Any
) -> None:
    options = EmbedOptions(
        manifest, tmp_path, embedding=EmbeddingSettings(batch=batch, identity=identity), device="cpu"
    )
    embed(options)
    np.testing.assert_allclose(aligned(tmp_path), uninterrupted, atol=1e-5)
    again = embed(options)
    # By content, two ranges of different files with the same bytes are one.
    assert (again.embedded, again.hits) == (0, 14)


@pytest.mark.parametrize("identity", ["path", "content"])
def test_whoever_opens_the_folder_knows_files_as_it_does(manifest: Path, tmp_path: Path, identity: Any) -> None:
    embed(EmbedOptions(manifest, tmp_path, embedding=EmbeddingSettings(identity=identity), device="cpu"))
    again = embed(EmbedOptions(manifest, tmp_path, device="cpu"))
    assert (again.embedded, again.hits) == (0, 14)
    encoder, rows = load_encoder(), read_manifest(manifest)
    cache = EmbeddingCache(tmp_path, encoder)
    filled = len(cache)
    caption_features(sorted_rows(rows), encoder, cache=cache)  # as partition does
    embed_queries(rows, [], encoder, tmp_path, no_progress)  # as train does
    cache.refresh()
    assert len(cache) == filled
    other = EmbeddingSettings(identity="path" if identity == "content" else "content")
    with pytest.raises(InputError, match="identifies files by"):
        embed(EmbedOptions(manifest, tmp_path, embedding=other, device="cpu"))


def test_by_content_a_file_of_many_clips_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_audio(tmp_path / "long.wav", render("rain", 1, 4.0, 16000)[None], 16000)
    rows = [Row(tmp_path / "long.wav", "rain", start=second, end=second + 1.0) for second in range(4)]
    write_manifest(tmp_path / "m.json", rows)
    hashed: list[Path] = []
    monkeypatch.setattr(clips, "file_sha256", lambda path: hashed.append(path) or "a" * 64)
    embedding = EmbeddingSettings(identity="content", readers=1)
    for _ in range(2):
        embed(EmbedOptions(tmp_path / "m.json", tmp_path / "cache", embedding=embedding, device="cpu"))
    assert hashed == [tmp_path / "long.wav"]


def test_by_content_too_a_clip_that_is_not_there_is_one_line_of_many(manifest: Path, tmp_path: Path) -> None:
    rows = json.loads(manifest.read_text())["data"]
    rows = [{**row, "wav": str(manifest.parent / row["wav"])} for row in rows[:2]] + [{**rows[0], "wav": "gone.wav"}]
    (tmp_path / "some.json").write_text(json.dumps({"data": rows}))
    embedding = EmbeddingSettings(identity="content")
    done = embed(EmbedOptions(tmp_path / "some.json", tmp_path / "cache", embedding=embedding, device="cpu"))
    assert done.embedded == 2
    assert len(done.failed) == 1


def test_killed_runs_are_continued_and_equal_an_uninterrupted_one(
    manifest: Path, uninterrupted: Any, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "dplass_cli", "embed", str(manifest), "--output", str(tmp_path)]
    command += ["--batch", "1", "--device", "cpu"]
    random.seed(1)
    killed = 0
    for _ in range(4):  # each start takes seconds
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        records = list(tmp_path.glob("*/keys.bin"))
        before = records[0].stat().st_size if records else 0
        deadline = time.monotonic() + 60
        # A moment after it has added something, so that every kill falls into the work.
        while time.monotonic() < deadline and process.poll() is None:
            records = list(tmp_path.glob("*/keys.bin"))
            if records and records[0].stat().st_size > before:
                break
            time.sleep(0.002)
        time.sleep(random.uniform(0.0, 0.03))
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
        if (tmp_path / "rows.npy").exists():
            break
    assert killed >= 2
    assert embed(EmbedOptions(manifest, tmp_path, device="cpu")).complete
    np.testing.assert_array_equal(aligned(tmp_path), uninterrupted)


def test_shares_of_several_processes_make_one_result(
    manifest: Path, uninterrupted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "0")
    shares = []
    for rank in (2, 0, 1):
        assert not (tmp_path / "rows.npy").exists()
        monkeypatch.setenv("RANK", str(rank))
        shares.append(embed(EmbedOptions(manifest, tmp_path, device="cpu")))
    assert [share.complete for share in shares] == [False, False, True]
    assert sum(share.embedded for share in shares) == 14
    assert sum(share.hits for share in shares) == 0  # no clip twice
    np.testing.assert_array_equal(aligned(tmp_path), uninterrupted)


@pytest.mark.slow
def test_torchrun_shares_the_work(manifest: Path, uninterrupted: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "dplass_cli", "embed"]
    subprocess.run([*command, str(manifest), "--output", str(tmp_path), "--device", "cpu"], check=True, timeout=300)
    np.testing.assert_array_equal(aligned(tmp_path), uninterrupted)


def test_clips_that_cannot_be_read_are_listed_and_the_others_done(manifest: Path, tmp_path: Path) -> None:
    rows = json.loads(manifest.read_text())["data"][:2]
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    rows = [{**row, "wav": str(manifest.parent / row["wav"])} for row in rows]
    rows += [{"wav": str(tmp_path / name), "caption": "c"} for name in ("broken.wav", "absent.wav")]
    (tmp_path / "m.json").write_text(json.dumps({"data": rows}))
    done = CliRunner().invoke(app, ["embed", str(tmp_path / "m.json"), "-o", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert (result["embedded"], len(result["failed"]), result["complete"]) == (2, 2, True)
    assert "absent.wav: no such audio file" in done.stderr
    assert np.load(tmp_path / "out" / "rows.npy").tolist() == [0, 1, -1, -1]


def test_partition_takes_embeddings_from_the_cache(manifest: Path, tmp_path: Path, monkeypatch: Any) -> None:
    embed(EmbedOptions(manifest, tmp_path / "cache", device="cpu"))
    arguments = ["partition", str(manifest), "--domains", "2", "--output", str(tmp_path / "p")]
    from dplass_cli.encoders.tiny import TinyEncoder

    monkeypatch.setattr(TinyEncoder, "embed_audio", lambda *given: pytest.fail("embedded again"))
    done = CliRunner().invoke(app, [*arguments, "--cache", str(tmp_path / "cache")])
    assert done.exit_code == 0, done.output
