"""Reading files out of the archives of games."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from tiny_models.corpus.archives import read_member

RIFF = b"RIFF" + struct.pack("<I", 4) + b"WAVE"


def c4_group(entries: dict[str, bytes | dict[str, bytes]], packed: bool = True) -> bytes:
    """A group as OpenClonk writes it; a dict stands for a group inside."""
    header = bytearray(204)
    struct.pack_into("<i", header, 36, len(entries))
    table, data = b"", b""
    for name, content in entries.items():
        inner = c4_group(content, packed=False) if isinstance(content, dict) else content
        entry = name.encode().ljust(260, b"\0")
        entry += struct.pack("<6i", 1, isinstance(content, dict), len(inner), 0, len(data), 0)
        table, data = table + entry.ljust(316, b"\0"), data + inner
    for index in range(0, 202, 3):
        header[index], header[index + 2] = header[index + 2], header[index]
    group = bytes(byte ^ 237 for byte in header) + table + data
    return b"\x1e\x8c" + gzip.compress(group)[2:] if packed else group


def qt_resources(name: str, content: bytes, compressed: bool) -> bytes:
    """Resources of version 1 with the file ``folder/NAME``."""
    stored = struct.pack(">I", len(content)) + zlib.compress(content) if compressed else content
    data = struct.pack(">I", len(stored)) + stored
    names, positions = b"", []
    for each in ("folder", name):
        positions.append(len(names))
        names += struct.pack(">HI", len(each), 0) + each.encode("utf-16-be")
    tree = struct.pack(">IHII", 0, 2, 1, 1) + struct.pack(">IHII", positions[0], 2, 1, 2)
    tree += struct.pack(">IHHHI", positions[1], int(compressed), 0, 0, 0)
    return b"qres" + struct.pack(">4I", 1, 20 + len(data) + len(names), 20, 20 + len(data)) + data + names + tree


def test_a_plain_path_is_a_file_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(RIFF)
    assert read_member(tmp_path, "a.wav") == RIFF


def test_files_in_zip_archives(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    with zipfile.ZipFile(tmp_path / "usr" / "data.pk3", "w") as archive:
        archive.writestr("sound/a.wav", RIFF)
    assert read_member(tmp_path, "_zip/data.pk3/sound/a.wav") == RIFF


def test_files_in_nested_groups_of_openclonk(tmp_path: Path) -> None:
    (tmp_path / "Sound.ocg").write_bytes(c4_group({"x.txt": b"x", "Animals.ocg": {"y": b"yy", "Cat.wav": RIFF}}))
    assert read_member(tmp_path, "_c4/Sound.ocg/Animals.ocg/Cat.wav") == RIFF


@pytest.mark.parametrize("compressed", [False, True])
def test_files_in_qt_resources(tmp_path: Path, compressed: bool) -> None:
    (tmp_path / "core.rcc").write_bytes(qt_resources("a.wav", RIFF, compressed))
    assert read_member(tmp_path, "_rcc/core/folder/a.wav") == RIFF


def test_sounds_in_sets_of_openttd_are_numbered(tmp_path: Path) -> None:
    second = b"\x02b\0" + RIFF[:-1] + b"2"
    content = struct.pack("<4I", 16, 15, 31, 15) + b"\x02a\0" + RIFF + second
    (tmp_path / "set.cat").write_bytes(content)
    assert read_member(tmp_path, "_cat/osfx_01.wav") == RIFF[:-1] + b"2"


@pytest.mark.parametrize("path", ["b.wav", "_zip/data.zip/b.wav", "_zip/other.zip/a.wav"])
def test_missing_files_are_reported(tmp_path: Path, path: str) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("a.wav", RIFF)
    with pytest.raises(FileNotFoundError, match=r"[ab]\.wav"):
        read_member(tmp_path, path)
