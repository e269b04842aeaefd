"""The table of sound classes."""

from __future__ import annotations

import pytest

from dplass_cli.sounds import CATALOGUE, SoundClass

GROUPS = {"speech", "music", "animals", "alarms", "domestic", "vehicles", "nature"}
NAMES = [each.name for each in CATALOGUE]


def test_the_catalogue_covers_the_groups_without_repeats() -> None:
    assert len(CATALOGUE) >= 28
    assert {each.group for each in CATALOGUE} == GROUPS
    for values in (NAMES, [each.label for each in CATALOGUE], [each.mid for each in CATALOGUE]):
        assert len(set(values)) == len(CATALOGUE)


@pytest.mark.parametrize("sound", CATALOGUE, ids=NAMES)
def test_entries_are_well_formed(sound: SoundClass) -> None:
    assert sound.name.isidentifier()
    assert sound.name == sound.name.lower()
    assert sound.mid.startswith(("/m/", "/t/dd", "/g/"))
    assert 4 <= len(sound.captions) <= 6
    assert all(caption == caption.strip() and len(caption) > 5 for caption in sound.captions)


def test_all_captions_differ() -> None:
    captions = [caption.lower() for each in CATALOGUE for caption in each.captions]
    assert len(set(captions)) == len(captions)


def test_labels_are_those_of_audioset() -> None:
    # Literal values from AudioSet's published list of classes, so that a mistake in the catalogue is noticed.
    known = {
        "Male speech, man speaking": "/m/05zppz",
        "Female speech, woman speaking": "/m/02zsn",
        "Child speech, kid speaking": "/m/0ytgt",
        "Whispering": "/m/02rtxlg",
        "Hubbub, speech noise, speech babble": "/m/07qfr4h",
        "Laughter": "/m/01j3sz",
        "Baby cry, infant cry": "/t/dd00002",
        "Choir": "/m/0l14jd",
        "Snoring": "/m/01d3sd",
        "Acoustic guitar": "/m/042v_gx",
        "Flute": "/m/0l14j_",
        "Organ": "/m/013y1f",
        "Bass drum": "/m/0bm02",
        "Hi-hat": "/m/03qtq",
        "Marimba, xylophone": "/m/0dwsp",
        "Violin, fiddle": "/m/07y_7",
        "Trumpet": "/m/07gql",
        "Drum roll": "/m/02k_mr",
        "Electric guitar": "/m/02sgy",
        "Bark": "/m/05tny_",
        "Meow": "/m/07qrkrw",
        "Chirp, tweet": "/m/07pggtn",
        "Cricket": "/m/09xqv",
        "Frog": "/m/09ld4",
        "Moo": "/m/07rpkh9",
        "Bleat": "/m/07q0h5t",
        "Crowing, cock-a-doodle-doo": "/m/07qn5dc",
        "Hoot": "/m/07r_80w",
        "Bee, wasp, etc.": "/m/01h3n",
        "Quack": "/m/07qdb04",
        "Clip-clop": "/m/07rv9rh",
        "Siren": "/m/03kmc9",
        "Smoke detector, smoke alarm": "/m/01y3hg",
        "Telephone bell ringing": "/m/07pp8cl",
        "Church bell": "/m/03w41f",
        "Alarm clock": "/m/046dlr",
        "Bicycle bell": "/m/0gy1t2s",
        "Reversing beeps": "/m/02rhddq",
        "Busy signal": "/m/01z47d",
        "Ding-dong": "/m/07r67yg",
        "Foghorn": "/m/04fq5q",
        "Tick-tock": "/m/07qjznl",
        "Vacuum cleaner": "/m/0d31p",
        "Knock": "/m/07r4wb8",
        "Typing": "/m/0316dw",
        "Pour": "/m/07prgkl",
        "Frying (food)": "/m/0dxrf",
        "Dishes, pots, and pans": "/m/04brg2",
        "Sawing": "/m/01b82r",
        "Drip": "/m/07r5v4s",
        "Hammer": "/m/03l9g",
        "Mains hum": "/m/06xkwv",
        "Idling": "/m/07pb8fc",
        "Helicopter": "/m/09ct_",
        "Motorcycle": "/m/04_sv",
        "Train horn": "/m/0284vy3",
        "Vehicle horn, car horn, honking": "/m/0912c9",
        "Chainsaw": "/m/01j4z9",
        "Fixed-wing aircraft, airplane": "/m/0cmf2",
        "Clickety-clack": "/m/07rwm0c",
        "Tire squeal": "/m/0h9mv",
        "Train": "/m/07jdr",
        "Rain": "/m/06mb1",
        "Wind": "/m/03m9d0z",
        "Waves, surf": "/m/034srq",
        "Thunder": "/m/0ngt1",
        "Fire": "/m/02_41",
        "Stream": "/m/0j6m2",
        "Rustling leaves": "/m/09t49",
        "Waterfall": "/m/0j2kx",
    }
    assert {each.label: each.mid for each in CATALOGUE} == known
