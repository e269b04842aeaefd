"""Which sounds are related by AudioSet's ontology."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.data.csv_tables import filled_rows
from dplass_cli.data.manifest import Row
from dplass_cli.data.ontology import class_names, kinds_of, kinds_of_clips
from dplass_cli.resources import resource


def related(a: str, b: str) -> bool:
    return kinds_of([a]).related(kinds_of([b]))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("/m/05tny_", "/m/05tny_"),
        ("/m/05tny_", "/m/0bt9lr"),  # bark, dog
        ("/m/0jbk", "/m/05tny_"),  # animal, bark
        ("/m/05tny_", "bark"),
        ("Bark", "Dog"),
        ("Baby cry, infant cry", "infant cry"),
        ("infant cry", "Crying, sobbing"),
        ("Frying (food)", "frying"),
        ("/m/0gy1t2s", "Bicycle"),  # a bicycle bell has three parents
        ("/m/0gy1t2s", "Alarm"),
        ("/m/0gy1t2s", "Bell"),
        ("Electric guitar", "Music"),
        ("a spoon in a cup", "A spoon in a cup "),
        ("pots", "Dishes, pots, and pans"),
        ("howl", "Howl (wind)"),  # the word alone can mean either
        ("howl", "Dog"),
    ],
)
def test_a_class_is_related_to_itself_its_ancestors_and_its_other_names(a: str, b: str) -> None:
    assert related(a, b)
    assert related(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Bark", "Cat"),
        ("Bark", "Howl"),  # both are sounds of dogs, but none is the other
        ("Rain", "Wind"),
        ("a spoon in a cup", "a cup"),
        ("/m/unknown", "Bark"),
    ],
)
def test_different_sounds_are_not_related(a: str, b: str) -> None:
    assert not related(a, b)
    assert not related(b, a)


def test_sounds_that_nothing_names_are_related_to_nothing() -> None:
    assert not kinds_of(()).related(kinds_of(["Bark"]))
    assert not kinds_of(()).related(kinds_of(()))


def test_clips_have_the_sounds_of_all_their_rows() -> None:
    rows = [
        Row(Path("a.wav"), "a dog barks", ("/m/05tny_",), "a"),
        Row(Path("a.wav"), "Rain", ("/m/06mb1",), "a"),
        Row(Path("b.wav"), "a puddle", ("/m/0838f",)),
    ]
    kinds = kinds_of_clips(rows)
    assert kinds["a", Path("a.wav")].own == {"/m/05tny_", "/m/06mb1", "a dog barks"}
    assert kinds["", Path("b.wav")].related(kinds["a", Path("a.wav")])  # rain is water


def test_files_that_share_an_id_have_their_own_sounds() -> None:
    vocals, drums = (Row(Path("song") / f"{name}.wav", name, id="song") for name in ("vocals", "drums"))
    kinds = kinds_of_clips([vocals, drums])
    assert not kinds["song", vocals.wav].related(kinds["song", drums.wav])


def test_the_table_has_all_classes_of_the_ontology() -> None:
    path = resource("metadata/audioset_ontology.csv")
    rows = {row["mid"]: row for _, row in filled_rows(path, ("mid", "name"), "the ontology")}
    assert len(rows) == 632
    assert {parent for row in rows.values() for parent in row["parents"].split()} < rows.keys()
    roots = [row["name"] for row in rows.values() if not row["parents"]]
    assert roots == [
        *("Human sounds", "Animal", "Music", "Natural sounds", "Sounds of things", "Source-ambiguous sounds"),
        "Channel, environment and background",
    ]


def test_classes_have_names() -> None:
    assert class_names()["/m/05tny_"] == "Bark"
