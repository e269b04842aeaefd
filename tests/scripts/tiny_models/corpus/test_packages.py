"""Unpacking packages that were downloaded before."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from systems import needs_shell_scripts

from tiny_models.corpus.packages import GoneError, unpacked

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


def test_a_wheel_in_the_cache_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "like_sounds-0.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("like_sounds/cow.mp3", b"moo")
    with unpacked("pypi", "like-sounds", "0.3", tmp_path) as found:
        assert (found.root / "like_sounds" / "cow.mp3").read_bytes() == b"moo"
        assert found.version == "0.3"
    assert not found.root.exists()


def build_package(folder: Path) -> Path:
    """A Debian package called bells, version 1:2-3."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: bells\nVersion: 1:2-3\nArchitecture: all\nMaintainer: Ann <ann@example.org>\nDescription: bells\n"
    )
    (tree / "bell.wav").write_bytes(b"ding")
    package = folder / "bells_1%3a2-3_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, capture_output=True)
    return package


def replace_apt_get(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script in the place of apt-get."""
    program = folder / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@needs_dpkg
def test_a_debian_package_in_the_cache_is_unpacked(tmp_path: Path) -> None:
    build_package(tmp_path)
    with unpacked("debian", "bells", "", tmp_path) as found:
        assert (found.root / "bell.wav").read_bytes() == b"ding"
        assert found.version == "1:2-3"


@needs_dpkg
def test_another_version_is_used_if_the_stated_one_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, cache = build_package(tmp_path), tmp_path / "cache"
    cache.mkdir()
    replace_apt_get(tmp_path, f'case "$2" in *=*) exit 100;; esac; cp "{package}" .', monkeypatch)
    with unpacked("debian", "bells", "1:1-1", cache) as found:
        assert found.version == "1:2-3"


@needs_shell_scripts
def test_a_package_that_is_gone_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_apt_get(tmp_path, "echo E: Unable to locate package bells >&2; exit 100", monkeypatch)
    message = "bells: E: Unable to locate package bells"
    with pytest.raises(GoneError, match=message), unpacked("debian", "bells", "", tmp_path):
        pass
