"""Titles of domains come from what their captions say."""

from __future__ import annotations

import re

import numpy as np

from dplass_cli.domains.naming import nearest, titles

DOMAINS = [
    ["a dog is barking", "a dog barks at night", "dogs bark", "a man speaks and a dog growls"],
    ["a man speaks", "a woman is speaking to a crowd", "people speak"],
    ["fire crackles", "the fire is burning", "a camp fire"],
]


def titled(*domains: list[str]) -> list[str]:
    """The titles of domains whose captions have one clip each."""
    return titles([dict.fromkeys(captions, 1) for captions in domains])


def test_titles_consist_of_words_that_distinguish_domains() -> None:
    dogs, speech, fire = titled(*DOMAINS)
    assert dogs.lower().split(", ")[0] in ("dog", "dogs", "bark", "barks", "barking")
    assert speech.lower().split(", ")[0] in ("speaks", "speaking", "speak")
    assert fire.startswith("Fire, ")


def test_titles_invent_nothing_and_repeat_no_word_in_another_form() -> None:
    for title, captions in zip(titled(*DOMAINS), DOMAINS, strict=True):
        words = title.lower().split(", ")
        assert 1 <= len(words) <= 3
        assert set(words) <= set(re.findall(r"\w+", " ".join(captions)))
        assert not {"a", "is", "the", "and", "at", "to"} & set(words)
        assert len({word[:4].rstrip("s") for word in words}) == len(words)


def test_a_title_names_what_most_clips_contain() -> None:
    domain = {"fire crackling": 2, "a chainsaw": 2, "rain": 1, "a stream": 1, "music": 40}
    assert titles([domain, {"a dog": 1}])[0].startswith("Music, ")


def test_a_second_word_of_one_caption_displaces_no_other_caption() -> None:
    (title, _) = titled(["crackle of fire", "chainsaw", "music"], ["a dog"])
    assert title == "Crackle, chainsaw, music"


def test_a_title_of_few_captions_covers_all_of_them() -> None:
    assert titled(["Crackle", "Fire", "Chainsaw", "Music"], ["a dog"])[0] == "Crackle, fire, chainsaw, music"


def test_a_title_says_that_it_leaves_captions_out() -> None:
    assert titled(["Clock", "Crackle", "Fire", "Music", "Rain", "Sea"], ["a dog"])[0] == "Clock, crackle, fire and more"


def test_captions_without_words_stand_for_themselves() -> None:
    assert titled(["???", "!"], ["12"]) == ["???", "12"]
    assert titled(["...."], ["rain"]) == ["....", "Rain"]


def test_a_word_of_two_letters_is_one_with_the_next() -> None:
    assert titled(["hi hat", "clock", "hi hats"], ["tv noise", "a hi"]) == ["Hi hat, clock", "Tv noise, hi"]
    assert titled(["go and stop"], ["tv, radio"], ["up hill"]) == ["Go, stop", "Tv, radio", "Hill"]


def test_titles_take_any_script() -> None:
    assert titled(["雨が降る"], ["собака лает"]) == ["雨が降る", "Собака, лает"]
    assert titled(["8-bit"], ["2-stroke"]) == ["Bit", "Stroke"]
    assert titled(["कुत्ता भौंकता है"], ["ole\u0301 ole\u0301!"]) == ["कुत्ता, भौंकता, है", "Ol\xe9"]


def test_nearest_captions_come_first() -> None:
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [0.8, 0.6]])
    assert nearest(["far", "near", "middle"], vectors, np.array([1.0, 0.0])) == ("near", "middle", "far")


def test_words_of_equal_weight_are_ordered_by_nearer_captions() -> None:
    assert titled(["Flute", "Frog", "Drip", "Alarm"], ["Organ"]) == ["Flute, frog, drip, alarm", "Organ"]
