"""The table of clips: records matched with files and captions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from dplass_cli.data.captions import ClipCaption, LabelCaptions
from dplass_cli.data.prepare.clip_table import clip_table, column_label_captions, words
from dplass_cli.data.prepare.corpora import CORPORA, Corpus
from dplass_cli.data.prepare.locating import ClipIndex
from dplass_cli.errors import InputError

SENTENCES = Corpus("", "", ("caption",), name="wav", id="id", start="start", end="end", sentences=True)


def records(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), dtype=object)


def table(rows: pd.DataFrame, corpus: Corpus = SENTENCES, **more: Any) -> list[dict[str, Any]]:
    index = ClipIndex(["/clips/a.wav", "/clips/b.wav"], ["a.wav", "b.wav", "c.wav"])
    clips = clip_table(rows, corpus, index, **more)
    assert list(clips) == ["id", "path", "texts", "fault", "start", "end"]
    return [row.where(row.notna(), None).to_dict() for _, row in clips.astype(object).iterrows()]


def sentence(caption: str) -> ClipCaption:
    return ClipCaption(caption)


def test_a_record_becomes_a_clip_with_its_file_and_caption() -> None:
    found = table(records({"id": 7, "wav": "a.wav", "caption": " A dog ", "start": "1.5", "end": ""}))
    assert found == [
        {"id": "7", "path": "/clips/a.wav", "texts": (sentence("A dog"),), "fault": None, "start": 1.5, "end": None}
    ]


def test_records_of_a_clip_are_merged_at_its_first_place() -> None:
    rows = [("a.wav", "One"), ("b.wav", "Rain"), ("a.wav", "Two"), ("a.wav", "One")]
    found = table(records(*({"wav": wav, "caption": caption} for wav, caption in rows)))
    assert [(clip["id"], [text.caption for text in clip["texts"]]) for clip in found] == [
        ("a", ["One", "Two"]),
        ("b", ["Rain"]),
    ]


def test_ranges_of_a_file_are_clips_of_their_own() -> None:
    ranges = [("0", "1"), ("1", "2"), ("0", "1")]
    found = table(records(*({"id": "x", "wav": "a.wav", "caption": "A", "start": s, "end": e} for s, e in ranges)))
    assert [(clip["start"], clip["end"]) for clip in found] == [(0.0, 1.0), (1.0, 2.0)]


def test_missing_files_and_captions_are_faults() -> None:
    found = table(records({"wav": "c.wav", "caption": ""}, {"wav": "a.wav", "caption": None}, {"wav": "b.wav"}))
    assert [clip["fault"] for clip in found] == ["missing", "no caption", "no caption"]


def test_lists_of_captions_are_several_captions() -> None:
    found = table(records({"wav": "a.wav", "caption": ["One", " ", "Two"]}))
    assert [text.caption for text in found[0]["texts"]] == ["One", "Two"]


def test_a_repeated_unique_id_is_a_duplicate() -> None:
    rows = pd.DataFrame(
        [("a", 0.0, 10.0, ("/m/x",)), ("a", 10.0, 20.0, ("/m/x",)), ("c", 0.0, 10.0, ("/m/y",))],
        columns=CORPORA["audioset"].columns,
    )
    found = table(rows, CORPORA["audioset"], label_captions=LabelCaptions({"/m/x": "Dog"}))
    assert [(clip["id"], clip["fault"]) for clip in found] == [("a", None), ("a", "duplicate id"), ("c", "missing")]
    assert found[0]["texts"] == (ClipCaption("Dog", ("/m/x",), ("Dog",)),)


def test_written_captions_replace_those_of_labels() -> None:
    rows = pd.DataFrame(
        [("a", 0.0, 10.0, ("/m/x",)), ("b", 0.0, 10.0, ("/m/unknown",))], columns=CORPORA["audioset"].columns
    )
    captions = LabelCaptions({"/m/x": "Dog"}, "file")
    found = table(rows, CORPORA["audioset"], label_captions=captions, written={"b": ("A bird",)})
    assert [(clip["fault"], clip["texts"]) for clip in found] == [
        ("no caption", (ClipCaption("Dog", ("/m/x",), ("Dog",)),)),
        (None, (ClipCaption("A bird", (), ()),)),
    ]


def test_names_of_labels_come_from_the_records() -> None:
    corpus = Corpus("", "", ("classes",), name="wav", labels="mids")
    rows = records({"wav": "a.wav", "classes": "Electric_guitar,Guitar", "mids": "/m/e,/m/g"})
    found = table(rows, corpus, label_captions=column_label_captions(rows, corpus, "each"))
    assert [(text.caption, text.labels) for text in found[0]["texts"]] == [
        ("Electric guitar", ("/m/e",)),
        ("Guitar", ("/m/g",)),
    ]
    assert column_label_captions(rows, SENTENCES, "each") is None


def test_clips_without_a_column_of_labels_have_no_known_label() -> None:
    corpus = Corpus("", "", ("classes",), name="wav", labels="mids")
    rows = records({"wav": "a.wav", "classes": "Guitar"})
    assert table(rows, corpus, label_captions=LabelCaptions({}))[0]["fault"] == "unknown label"


def test_values_stand_for_captions_where_the_corpus_says_so() -> None:
    corpus = Corpus("", "", ("stem",), name="wav", caption_of={"vocals": "singing voice"})
    found = table(records({"wav": "a.wav", "stem": "vocals"}, {"wav": "b.wav", "stem": "mixture"}), corpus)
    assert [(clip["fault"], clip["texts"]) for clip in found] == [
        (None, (ClipCaption("singing voice", (), ("singing voice",)),)),
        ("no caption", ()),
    ]


def test_clips_without_an_end_have_the_length_of_the_corpus() -> None:
    found = table(records({"wav": "a.wav", "caption": "A", "start": "5"}), replace(SENTENCES, seconds=10))
    assert (found[0]["start"], found[0]["end"]) == (5.0, 15.0)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"wav": "", "caption": "A"}, "list: record 2: no 'id'"),
        ({"wav": "a.wav", "start": "soon"}, "list: record 2: start: expected seconds, not 'soon'"),
        ({"wav": "a.wav", "end": "inf"}, "list: record 2: end: expected seconds, not 'inf'"),
        ({"wav": "a.wav", "start": "3", "end": "2"}, "0 <= start < end, not 3.0 and 2.0"),
    ],
)
def test_a_wrong_record_is_named(record: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(records({"id": "x", "wav": "b.wav", "caption": "A"}, record), where="list")


def test_class_names_become_words() -> None:
    assert words("door_wood__knock ") == "door wood knock"


def test_a_row_with_fewer_names_than_labels_is_rejected_and_names_nothing() -> None:
    corpus = Corpus("", "", ("classes",), name="wav", labels="mids")
    rows = records(
        {"wav": "a.wav", "classes": "Guitar", "mids": "/m/e,/m/g"},
        {"wav": "b.wav", "classes": "Guitar", "mids": "/m/g"},
    )
    found = table(rows, corpus, label_captions=column_label_captions(rows, corpus, "each"))
    assert [clip["fault"] for clip in found] == ["labels and names differ in number", None]
    assert found[1]["texts"] == (ClipCaption("Guitar", ("/m/g",), ("Guitar",)),)
