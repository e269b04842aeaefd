"""What sentences ask for."""

from __future__ import annotations

import pytest

from dplass_cli.separation.queries import Query
from dplass_cli.separation.wishes import Wish, meanings, understood, wish_of

REMOVALS = {
    "remove the wind": ["wind"],
    "Remove the wind.": ["wind"],
    "REMOVE WIND!": ["WIND"],
    "please remove the wind": ["wind"],
    "can you remove the wind please": ["wind"],
    "could you please get rid of the wind noise?": ["wind noise"],
    "I want to remove the wind": ["wind"],
    "I'd like to remove the background noise": ["background noise"],
    "I’d like you to delete the hum": ["hum"],
    "remove the wind from this recording": ["wind"],
    "remove the dog from the audio": ["dog"],
    "remove wind and rain": ["wind", "rain"],
    "remove the wind, the rain and the traffic": ["wind", "rain", "traffic"],
    "remove wind, rain, and thunder": ["wind", "rain", "thunder"],
    "remove all the barking dogs": ["barking dogs"],
    "remove any music": ["music"],
    "remove the sound of rain": ["rain"],
    "delete the siren": ["siren"],
    "eliminate the hiss": ["hiss"],
    "mute the crowd": ["crowd"],
    "mute crowd": ["crowd"],
    "suppress the traffic noise": ["traffic noise"],
    "filter out the fan": ["fan"],
    "cut out the coughing": ["coughing"],
    "cut the coughing": ["coughing"],
    "take out the vocals": ["vocals"],
    "take the vocals out": ["vocals"],
    "take the wind out of the recording": ["wind"],
    "turn off the music": ["music"],
    "turn the music off": ["music"],
    "filter the hum out": ["hum"],
    "kill the hum": ["hum"],
    "lose the hiss": ["hiss"],
    "drop the drums": ["drums"],
    "silence the baby": ["baby"],
    "strip out the applause": ["applause"],
    "exclude the birds": ["birds"],
    "leave out the guitar": ["guitar"],
    "no wind": ["wind"],
    "no more barking": ["barking"],
    "without the wind": ["wind"],
    "without wind": ["wind"],
    "without any music": ["music"],
    "not the dog": ["dog"],
    "everything except the wind": ["wind"],
    "everything but the vocals": ["vocals"],
    "everything except for the siren": ["siren"],
    "everything without the siren": ["siren"],
    "all but the drums": ["drums"],
    "all except speech": ["speech"],
    "keep everything except the traffic": ["traffic"],
    "keep everything but the traffic": ["traffic"],
    "everything apart from the phone ringing": ["phone ringing"],
    "anything other than the rain": ["rain"],
    "the recording without the rain": ["rain"],
    "the whole recording minus the rain": ["rain"],
    "I don't want the wind": ["wind"],
    "I do not want to hear the neighbours": ["neighbours"],
    "don't keep the music": ["music"],
    "remove the wind but keep the birds": ["wind"],
    "wind removed": ["wind"],
    "wind noise removal": ["wind noise"],
    "denoise": ["noise"],
    "everything that is not the wind": ["wind"],
    "I don't want any wind in it": ["wind"],
    "this audio but without the wind": ["wind"],
    "remove the vocals so that I can sing": ["vocals"],
    "remove rock and roll": ["rock and roll"],
    "get rid of that annoying buzzing in the background of this recording": ["annoying buzzing"],
}
KEPT = {
    "only the dog": ("dog", []),
    "just the vocals": ("vocals", []),
    "just the vocals, please": ("vocals", []),
    "keep the dog": ("dog", []),
    "keep only the speech": ("speech", []),
    "only keep the speech": ("speech", []),
    "solo the vocals": ("vocals", []),
    "isolate the vocals": ("vocals", []),
    "extract the piano": ("piano", []),
    "extract the piano from the recording": ("piano", []),
    "give me the drums": ("drums", []),
    "I want the drums": ("drums", []),
    "I only want to hear the cello": ("cello", []),
    "let me hear the birds": ("birds", []),
    "nothing but the rain": ("rain", []),
    "remove everything except the voice": ("voice", []),
    "remove everything but the voice": ("voice", []),
    "delete all other sounds except the bird": ("bird", []),
    "the voice only": ("voice", []),
    "the voice on its own": ("voice", []),
    "don't remove the voice": ("voice", []),
    "separate the voice from the music": ("voice", ["music"]),
    "speech without wind": ("speech", ["wind"]),
    "the speech without the wind and the rain": ("speech", ["wind", "rain"]),
    "a man speaking without music": ("man speaking", ["music"]),
    "the dog but not the rain": ("dog", ["rain"]),
    "birds, no traffic": ("birds", ["traffic"]),
    "birds with no traffic": ("birds", ["traffic"]),
    "birds and not the traffic": ("birds", ["traffic"]),
    "keep the speech and remove the wind": ("speech", ["wind"]),
    "keep the dog without the wind": ("dog", ["wind"]),
    "keep the birds; remove the traffic": ("birds", ["traffic"]),
    "leave the speech, remove the rest": ("speech", []),
    "voice isolation": ("voice", []),
    "only the guitar, not the drums": ("guitar", ["drums"]),
}
REDUCTIONS = {
    "reduce the wind": ("wind", 12.0),
    "reduce the wind by 6 dB": ("wind", 6.0),
    "please turn down the music by 10 decibels": ("music", 10.0),
    "turn the music down": ("music", 12.0),
    "make the fan quieter": ("fan", 12.0),
    "make the fan quieter by 4.5dB": ("fan", 4.5),
    "lower the crowd": ("crowd", 12.0),
    "duck the music by 3 dB": ("music", 3.0),
    "attenuate the hiss by 20 dB": ("hiss", 20.0),
    "less wind": ("wind", 12.0),
    "a bit less wind please": ("wind", 12.0),
    "suppress wind by 20 dB": ("wind", 20.0),
    "lower the volume of the music": ("music", 12.0),
    "turn the wind down a bit": ("wind", 12.0),
    "noise reduction": ("noise", 12.0),
}
DESCRIPTIONS = [
    "a dog barking",
    "wind",
    "a man speaking and a dog barking",
    "cutting wood",
    "cut grass",
    "drops of water",
    "drop of water falling",
    "duck quacking",
    "quiet music",
    "solo violin",
    "mute swan calling",
    "snow removal",
    "an engine not starting",
    "a door is closed",
    "stop sign",
    "a cat meowing in the background",
    "footsteps on gravel",
    "notification sound",
    "a note on the piano",
    "knocking",
    "music and a crowd cheering",
    "allegro for strings",
    "someone turning the page of a book",
    "people taking out the trash",
    "keeper shouting",
    "lower notes of a cello",
    "extractor fan",
    "silence",
    "remove everything else",
    "the sound of rain",
    "a justice of the peace speaking",
    "onlookers clapping",
    "a woman is notified by phone",
    "犬の鳴き声",
    "un chien qui aboie",
    "",
    "?",
]


def test_there_are_a_hundred_wordings() -> None:
    assert len(REMOVALS) + len(KEPT) + len(REDUCTIONS) >= 100


@pytest.mark.parametrize(("sentence", "sounds"), REMOVALS.items())
def test_a_removal_is_understood(sentence: str, sounds: list[str]) -> None:
    assert wish_of(sentence) == Wish(remove=tuple(sounds))


@pytest.mark.parametrize(("sentence", "expected"), KEPT.items())
def test_what_is_kept_is_understood(sentence: str, expected: tuple[str, list[str]]) -> None:
    assert wish_of(sentence) == Wish(expected[0], tuple(expected[1]))


@pytest.mark.parametrize(("sentence", "expected"), REDUCTIONS.items())
def test_what_is_turned_down_is_understood(sentence: str, expected: tuple[str, float]) -> None:
    assert wish_of(sentence) == Wish(remove=(expected[0],), reduce_db=expected[1])


@pytest.mark.parametrize("sentence", DESCRIPTIONS)
def test_a_description_stays_as_it_is(sentence: str) -> None:
    assert wish_of(sentence) is None
    assert understood(sentence) == Query(sentence)
    assert understood(sentence).said == ""


def test_a_wish_becomes_a_query() -> None:
    assert understood("remove the wind") == Query(without=("wind",))
    assert understood("speech without wind") == Query("speech", without=("wind",))
    assert understood("reduce wind and rain by 6 dB") == Query(reduce=(("wind", 6.0), ("rain", 6.0)))
    assert understood("remove the wind").said == "remove the wind"


def test_what_was_understood_is_said_in_one_line() -> None:
    sentences = ["a dog", "remove the wind", "reduce rain by 6 dB", "only the dog", "the dog without rain and wind"]
    assert meanings(map(understood, sentences)) == [
        "'remove the wind': removing: wind",
        "'reduce rain by 6 dB': turning down by 6 dB: rain",
        "'only the dog': separating: dog",
        "'the dog without rain and wind': separating: dog; keeping out: rain, wind",
    ]
