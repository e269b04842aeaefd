"""Captions from labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dplass_cli.data.captions import ClipCaption, LabelCaptions, joined

NAMES = {"/m/dog": "Dog", "/m/bark": "Bark", "/m/cry": "Baby cry, infant cry", "/m/horn": "French horn"}
DOG, BARK = ClipCaption("Dog", ("/m/dog",), ("Dog",)), ClipCaption("Bark", ("/m/bark",), ("Bark",))


@pytest.mark.parametrize(
    ("names", "caption"),
    [
        (["Baby cry, infant cry"], "Baby cry, infant cry"),
        (["Bark", "Rain"], "Bark and rain"),
        (["Baby cry, infant cry", "Male speech, man speaking", "French horn"], "Baby cry, male speech and French horn"),
        (["Telephone", "DTMF"], "Telephone and DTMF"),
    ],
)
def test_names_are_joined_as_in_a_sentence(names: list[str], caption: str) -> None:
    assert joined(names) == caption


@given(st.lists(st.text("abc", min_size=1), min_size=1))
def test_different_names_are_joined_differently(names: list[str]) -> None:
    assert joined(names).replace(" and ", ", ").split(", ") == names


def test_the_form_decides_what_several_labels_become() -> None:
    labels = ("/m/dog", "/m/unheard", "/m/bark", "/m/dog")
    both = ClipCaption("Dog and bark", ("/m/dog", "/m/bark"), ("Dog", "Bark"))
    assert LabelCaptions(NAMES, "single")(labels) == ((both._replace(caption=""),), "several labels")
    assert LabelCaptions(NAMES, "each")(labels) == ((DOG, BARK), None)
    assert LabelCaptions(NAMES, "joined")(labels) == ((both,), None)
    assert LabelCaptions(NAMES, "single")(("/m/dog", "/m/unheard")) == ((DOG,), None)
    assert LabelCaptions(NAMES, "each")(("/m/unheard",)) == ((), "unknown label")


@pytest.mark.parametrize("excluded", ["bark", "/m/bark"])
def test_a_clip_with_an_excluded_label_is_not_used(excluded: str) -> None:
    texts = LabelCaptions(NAMES, "each", [excluded])
    assert texts(("/m/dog", "/m/bark"))[1] == "excluded label"
    assert texts(("/m/dog",)) == ((DOG,), None)


def test_only_included_classes_become_captions() -> None:
    assert LabelCaptions(NAMES, "each", included={"dog"})(("/m/dog", "/m/bark")) == ((DOG,), None)
    assert LabelCaptions(NAMES, "joined", included={"Dog"})(("/m/dog", "/m/bark"))[1] is None
    assert LabelCaptions(NAMES, "joined", included={"Dog"})(("/m/cry", "/m/bark"))[1] == "other domain"
