"""The labels to look for: files of them, the lists by name, and what the encoder knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from level_encoder import LevelEncoder

from dplass_cli.encoders import SourceNamesEncoder
from dplass_cli.errors import InputError
from dplass_cli.tagging.labels import SentenceLabels, named_labels, read_labels


def written(folder: Path, text: str) -> Path:
    (folder / "labels.txt").write_text(text, encoding="utf-8")
    return folder / "labels.txt"


def test_a_label_has_the_sentences_after_the_tab_or_itself(tmp_path: Path) -> None:
    path = written(tmp_path, "# my sounds\n\nrain\nDog\ta dog barking | woof woof\n")
    assert read_labels(path) == {"rain": ("rain",), "Dog": ("a dog barking", "woof woof")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "contains no label; write one per line"),
        ("# nothing\n\n", "contains no label; write one per line"),
        ("rain\nrain\n", "line 2: 'rain' is already in the list; remove one of them"),
        ("rain\ta\tb\n", r"line 1: expected label<TAB>sentence\|sentence"),
        ("\ta sentence\n", r"line 1: expected label<TAB>sentence\|sentence"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=f"^{path}: {said}"):
        read_labels(path)


def test_without_a_name_the_labels_are_those_of_the_encoder_or_of_the_bundled_one() -> None:
    assert named_labels(None, LevelEncoder("loud", "quiet")) == {"loud": ("loud",), "quiet": ("quiet",)}
    assert "rain" in named_labels(None, LevelEncoder())


def test_the_lists_that_are_shipped_have_names() -> None:
    encoder = LevelEncoder()
    assert len(named_labels("audioset", encoder)) > 600
    scenes = named_labels("scenes", encoder)
    assert len(scenes) >= 20
    assert all(len(sentences) >= 2 for sentences in scenes.values())
    with pytest.raises(InputError, match=r"^--labels scene: no such file; did you mean 'scenes'\?"):
        named_labels("scene", encoder)


def test_sentences_that_the_encoder_does_not_know_are_left_out() -> None:
    given = {"a": ("loud", "what"), "b": ("what",), "c": ("quiet",)}
    labels = SentenceLabels(given, LevelEncoder())
    assert labels.names == ("a", "c")
    assert labels.unknown == {"b": "the level encoder does not know what 'what' is"}
    assert np.array_equal(labels.vectors, np.eye(2, dtype=np.float32))


def test_a_list_of_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(InputError, match=r"^--labels x\.txt: the level encoder knows none of 'b'; 'dplass sounds'"):
        SentenceLabels({"b": ("what",)}, LevelEncoder(), "--labels x.txt")


def test_an_encoder_that_cannot_compare_sounds_is_refused() -> None:
    with pytest.raises(InputError, match="cannot compare sounds"):
        SentenceLabels({"drums": ("drums",)}, SourceNamesEncoder())
