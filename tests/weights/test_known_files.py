"""The shipped table of known files, and tables that are refused."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from dplass_cli.errors import InputError
from dplass_cli.resources import default_folder
from dplass_cli.weights.known_files import KnownFile, WeightsEntry, read_known_files


def test_the_shipped_table_is_valid() -> None:
    table = read_known_files()
    assert {"audiosep", "clap", "roberta", "dplass-adapters", "audioset-lists", "benchmark-lists"} <= set(table)
    assert table["audiosep"].files[0].name == "audiosep_base_4M_steps.ckpt"
    for name, row in table.items():
        assert row.source.startswith(("hf://", "https://")), name
        for file in row.files:
            assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256), file
            assert (file.size or 1) > 0


def test_the_table_has_the_hashes_of_the_benchmark_lists(real_data: Path) -> None:
    table = read_known_files()
    for file in table["benchmark-lists"].files + table["dplass-vggsound"].files:
        data = (real_data / "benchmarks" / file.name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size, file.sha256), file.name
    (clusters,) = table["dplass-clusters"].files
    data = (real_data / "benchmarks" / "dplass_category_clusters.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == clusters.sha256


def test_files_without_a_hash_are_unverified() -> None:
    files = (KnownFile("a.bin", sha256="0" * 64), KnownFile("x/b,c=1.bin"))
    assert WeightsEntry("w", "l", files, hub="a/b").unverified == ("b,c=1.bin",)
    assert WeightsEntry("w", "l", files[:1], hub="a/b").unverified == ()


def test_an_entry_has_one_source_and_plain_names() -> None:
    files = (KnownFile("a.bin"),)
    with pytest.raises(ValueError, match="one source"):
        WeightsEntry("w", "l", files)
    with pytest.raises(ValueError, match="one source"):
        WeightsEntry("w", "l", files, hub="a/b", url="http://x")
    with pytest.raises(ValueError, match="distinct file names"):
        WeightsEntry("w", "l", (KnownFile("x/a.bin"), KnownFile("y/a.bin")), hub="a/b")
    for path in ("..", "a/..", "", ".hidden"):
        with pytest.raises(ValueError, match="does not end in a file name"):
            KnownFile(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not valid YAML"),
        ("- a", "not a table of known files"),
        ("../a: {}", "'../a' is not an entry"),
        (
            "a: {what: w, licence: l, hub: a/b, files: [{path: x, sha: y}]}",
            "unknown option 'files.sha'",
        ),
        ("a: {what: w, licence: l, files: [{path: x}]}", "a: expected one source"),
        ("a: {what: w, licence: l, url: example.org/a, files: [{path: x}]}", "url 'example.org/a' is not an ASCII URL"),
        ("a: {what: w, licence: l, url: 'http://a/ä', files: [{path: x}]}", "url 'http://a/ä' is not an ASCII URL"),
    ],
)
def test_invalid_tables_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError, match=re.escape(says)):
        read_known_files(tmp_path / "t.yaml")


def test_the_default_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPLASS_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere")
    monkeypatch.delenv("DPLASS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert default_folder() == user_cache_path("dplass", appauthor=False)
    (tmp_path / ".cache" / "dplass").mkdir(parents=True)  # where version 0.1 put fetched files
    assert default_folder() == tmp_path / ".cache" / "dplass"
