"""Phrases of instruments by their descriptions."""

from __future__ import annotations

import pytest

from tiny_models.corpus.phrases import SCALES, SECONDS, Description, Note, compose, midi_file, parse
from tiny_models.corpus.sources import read_sources


def test_a_description_is_read() -> None:
    assert parse("FluidR3_GM: m pen 148 bpm, program 21") == Description("m", "pen", 148, 21)


def test_drums_have_no_program() -> None:
    assert parse("MuseScore_General: drums 88 bpm") == Description("drums", "maj", 88, 0)


def test_every_phrase_of_the_table_is_described() -> None:
    described = [parse(source.path) for source in read_sources() if source.is_phrase]
    assert len(described) == 660
    assert {description.scale for description in described} == set(SCALES)


def test_other_descriptions_are_rejected() -> None:
    with pytest.raises(ValueError, match="expected a description"):
        parse("usr/share/a.wav")


@pytest.mark.parametrize("style", ["m", "c", "a", "b", "s", "d", "drums"])
def test_phrases_have_the_wanted_length(style: str) -> None:
    notes = compose(Description(style, "dor", 120, 0), seed=3)
    assert 0.9 * SECONDS[0] <= max(note.end for note in notes) <= SECONDS[1]


def test_a_seed_gives_the_same_phrase_again() -> None:
    description = Description("m", "maj", 100, 0)
    assert compose(description, 1) == compose(description, 1) != compose(description, 2)


def test_notes_belong_to_the_scale() -> None:
    pitches = {note.pitch % 12 for note in compose(Description("a", "pen", 120, 0), seed=5)}
    keys = [{(tonic + step) % 12 for step in SCALES["pen"]} for tonic in range(12)]
    assert any(pitches <= key for key in keys)


def test_a_midi_file_holds_the_events_of_its_notes() -> None:
    content = midi_file([Note(0.0, 0.5, 60, 100)], program=21)
    assert content.endswith(
        b"\x00\xc0\x15" + b"\x00\x90\x3c\x64" + b"\x83\x74\x80\x3c\x00" + b"\x00\xff\x2f\x00"  # 500 ticks: 83 74
    )
