"""Cleaning captions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dplass_cli.data.prepare.cleaning import CaptionCleaner, read_corrections
from dplass_cli.errors import InputError


@pytest.fixture(scope="module")
def cleaner() -> CaptionCleaner:
    return CaptionCleaner(read_corrections())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A dog barks", "A dog barks"),
        ("a dog  barks.", "A dog barks"),
        (" A dog dog barks ", "A dog barks"),
        ("The the THE dog", "The dog"),
        ("A voice echos , then Echos", "A voice echoes, then Echoes"),
        ("A DOG BARKS", "A dog barks"),
        ("TV", "TV"),
        ("Rain,wind ;thunder!!", "Rain, wind; thunder!"),
        ("Knock knock, tick tick", "Knock knock, tick tick"),
        ("1 1 2", "1 1 2"),
        ("cafe\u0301", "Café"),
        ("A dog\nbarks", "A dog barks"),
        ("3,000 people", "3,000 people"),
        ("dog's dogs", "Dog's dogs"),
        ("...", "..."),
    ],
)
def test_a_caption_is_cleaned(cleaner: CaptionCleaner, before: str, after: str) -> None:
    assert cleaner(before) == after


@given(st.text("abAB éÀ.,;!\n1", min_size=1).filter(str.strip))
def test_a_clean_caption_does_not_change(cleaner: CaptionCleaner, caption: str) -> None:
    clean = cleaner(caption)
    assert clean.strip()
    assert cleaner(clean) == clean


def test_changes_are_counted(cleaner: CaptionCleaner) -> None:
    cleaner = CaptionCleaner(read_corrections())
    for caption in ("a dog", "A dog", "a dog"):
        cleaner(caption)
    assert cleaner.changes == {("a dog", "A dog"): 2}


def test_the_table_may_be_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("words: {gatto: cat}\n")
    assert CaptionCleaner(read_corrections(tmp_path / "own.yaml"))("Gatto echos") == "Cat echos"
    (tmp_path / "own.yaml").write_text("word: {gatto: cat}\n")
    with pytest.raises(InputError, match="did you mean 'words'"):
        read_corrections(tmp_path / "own.yaml")
    (tmp_path / "own.yaml").write_text("- a\n")
    with pytest.raises(InputError, match="not a table of corrections"):
        read_corrections(tmp_path / "own.yaml")


def test_every_correction_of_the_shipped_table_changes_something_for_good() -> None:
    words = read_corrections().words
    assert not set(words) & {word for right in words.values() for word in right.split()}
