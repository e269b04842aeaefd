"""Merging manifests by shares."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.data.prepare.merging import Merged
from dplass_cli.errors import InputError
from dplass_cli.pipelines.prepare import MergeOptions, merge


@pytest.fixture
def manifests(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty real rows and a hundred generated ones."""
    paths = tmp_path / "real.json", tmp_path / "generated.json"
    for path, count in zip(paths, (20, 100), strict=True):
        write_manifest(
            path, [Row(Path(f"/clips/{path.stem}-{n}.wav"), "A dog", ("/m/dog",), str(n)) for n in range(count)]
        )
    return paths


def counts(path: Path) -> Counter[str]:
    return Counter(Path(item["source"]).name for item in json.loads(path.read_text())["data"])


@pytest.mark.parametrize("share", [1, 2, 3, 5])
def test_shares_are_of_the_first_source(manifests: tuple[Path, Path], tmp_path: Path, share: int) -> None:
    result = merge(MergeOptions(manifests, tmp_path / "out.json", (1, share)))
    assert counts(result.manifest) == {"real.json": 20, "generated.json": 20 * share}
    rows = read_manifest(result.manifest)
    assert len({row.wav for row in rows}) == len(rows) == result.rows == 20 * (1 + share)
    assert result.sources[1] == Merged(manifests[1], 100, 20 * share, 0)
    again = merge(MergeOptions(manifests, tmp_path / "again.json", (1, share)))
    assert again.manifest.read_bytes() == result.manifest.read_bytes()


def test_a_small_source_is_repeated_as_a_whole_first(manifests: tuple[Path, Path], tmp_path: Path) -> None:
    result = merge(MergeOptions(manifests[::-1], tmp_path / "out.json", (2, 1)))
    times = Counter(row.wav for row in read_manifest(result.manifest) if row.wav.name.startswith("real"))
    assert result.sources[1] == Merged(manifests[0], 20, 50, 30)
    assert Counter(times.values()) == {3: 10, 2: 10}


def test_without_shares_everything_is_taken(manifests: tuple[Path, Path], tmp_path: Path) -> None:
    assert counts(merge(MergeOptions(manifests, tmp_path / "out.json")).manifest) == {
        "real.json": 20,
        "generated.json": 100,
    }


def test_wrong_shares_are_refused(manifests: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 manifests and 1 shares"):
        merge(MergeOptions(manifests, tmp_path / "out.json", (1,)))
    with pytest.raises(InputError, match="positive"):
        merge(MergeOptions(manifests, tmp_path / "out.json", (1, 0)))
    with pytest.raises(InputError, match="no manifests"):
        merge(MergeOptions((), tmp_path / "out.json"))
