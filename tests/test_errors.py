"""Helpers for messages."""

from __future__ import annotations

import pytest

from dplass_cli.errors import DplassError, InputError, RunError, first_line, nearest, one_line, shown, some


def test_exit_codes_tell_wrong_input_from_a_failed_run() -> None:
    assert (InputError.exit_code, RunError.exit_code) == (2, 1)
    assert issubclass(InputError, DplassError)
    assert issubclass(RunError, DplassError)


def test_one_line_joins_lines_and_escapes_what_is_not_printable() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("a\x1b[31mred") == "a\\x1b[31mred"


@pytest.mark.parametrize("length", [4_001, 100_000])
def test_one_line_shortens_long_texts_in_the_middle(length: int) -> None:
    line = one_line("s" + "x" * length + "e")
    assert len(line) <= 4_000
    assert line.startswith("sx")
    assert line.endswith("xe")


def test_first_line_falls_back_to_the_type_of_the_error() -> None:
    assert first_line(ValueError("what\nwhere")) == "what"
    assert first_line(ValueError("x" * 500)) == "x" * 120
    assert first_line(ValueError()) == "ValueError"


def test_shown_is_short_for_large_values() -> None:
    assert shown("dog") == "'dog'"
    assert len(shown("x" * 10_000)) <= 200
    assert len(shown([["x" * 1000] * 1000] * 1000)) < 100_000
    assert shown(1 << 5000) == "an integer of 5001 bits"


def test_nearest_suggests_a_similar_word_whatever_its_case() -> None:
    assert nearest("ADAMw", ["AdamW", "SGD"]) == "; did you mean 'AdamW'?"


def test_nearest_lists_all_words_if_none_is_similar() -> None:
    assert nearest("xyz", ["text", "base"]) == "; known: base, text"
    assert nearest("xyz", []) == ""


def test_some_counts_the_remaining_items() -> None:
    assert some("abc") == "a, b, c"
    assert some("abcdefg") == "a, b, c, d, e and 2 more"
