"""Names that are not UTF-8, and names that differ in how accents are encoded."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from dplass_cli.file_names import existing_path, is_text, longest_name, usable_name, with_slashes


def test_bytes_that_are_not_utf8_are_no_text() -> None:
    assert all(map(is_text, ("", "a", "café", "犬", "\U0001f436")))
    assert not is_text(os.fsdecode(b"caf\xe9"))
    assert not is_text("a \ud83d")


@pytest.mark.parametrize(("there", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_with_its_accents_encoded_in_another_way_is_found(tmp_path: Path, there: str, asked: str) -> None:
    forms = {form: tmp_path / unicodedata.normalize(form, "é/café.wav") for form in ("NFC", "NFD")}
    forms[there].parent.mkdir()
    forms[there].touch()
    if forms[asked].exists():
        pytest.skip("this file system ignores the difference")
    assert existing_path(forms[asked]) == forms[there]
    mixed = forms[asked].parent / forms[there].name
    assert existing_path(mixed) == forms[there]
    assert existing_path(tmp_path / "ü.wav") == tmp_path / "ü.wav"
    forms[asked].parent.mkdir()
    forms[asked].touch()
    assert existing_path(forms[asked]) == forms[asked]


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("dog.wav", "dog.wav"),
        ("a:b?.wav", "a_b_.wav"),
        ("up\\..\\down.wav", "up_.._down.wav"),
        ("aux.wav", "_aux.wav"),
        ("Con", "_Con"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("LPT1.flac", "_LPT1.flac"),
        ("com¹", "_com¹"),
        ("console.wav", "console.wav"),
        ("dots... ", "dots____"),
    ],
)
def test_names_that_windows_forbids_are_changed_there(name: str, usable: str) -> None:
    assert usable_name(name, "win32") == usable
    assert usable_name(name, "linux") == usable_name(name, "darwin") == name


def test_names_are_shorter_in_deep_folders_of_windows() -> None:
    deep = Path("/" + "/".join(["folder"] * 20))
    assert longest_name(deep, "win32") == 258 - len(str(deep))
    assert longest_name(deep, "linux") == longest_name(Path("/"), "win32") == 255


def test_paths_of_windows_get_slashes() -> None:
    assert with_slashes("C:\\clips\\a.wav", "\\") == "C:/clips/a.wav"
    assert with_slashes("clips/a\\b.wav", "/") == "clips/a\\b.wav"
