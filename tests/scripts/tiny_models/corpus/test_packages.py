"""Unpacking packages that were downloaded before."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tiny_models.corpus.packages import unpacked


def test_a_wheel_in_the_cache_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "like_sounds-0.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("like_sounds/cow.mp3", b"moo")
    with unpacked("pypi", "like-sounds", "0.3", tmp_path) as found:
        assert (found.root / "like_sounds" / "cow.mp3").read_bytes() == b"moo"
        assert found.version == "0.3"
    assert not found.root.exists()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_debian_package_in_the_cache_is_unpacked(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: bells\nVersion: 1:2-3\nArchitecture: all\nMaintainer: Ann <ann@example.org>\nDescription: bells\n"
    )
    (tree / "bell.wav").write_bytes(b"ding")
    package = tmp_path / "bells_1%3a2-3_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, capture_output=True)
    with unpacked("debian", "bells", "", tmp_path) as found:
        assert (found.root / "bell.wav").read_bytes() == b"ding"
        assert found.version == "1:2-3"
