"""What a query asks for, contrasted with what it leaves over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dplass_cli import Separator, sounds
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import load_encoder
from dplass_cli.evaluation.evaluator import Contrasted, Running, separate_item
from dplass_cli.evaluation.items import Item, Loaded, Recorded
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.refinement import ALIKE, FAINT_DB, Rest

RATE = 32000


def sound(name: str, seconds: float = 4.0) -> np.ndarray:  # type: ignore[type-arg]
    return sounds.render(name, 11, seconds, RATE)


def rest(mixture: np.ndarray, estimate: np.ndarray, query: str, pieces: int = 1) -> Rest:  # type: ignore[type-arg]
    encoder = load_encoder("tiny")
    heard = Rest(encoder.embed_text([query])[0], encoder, RATE)
    for mixed, kept in zip(np.array_split(mixture, pieces), np.array_split(estimate, pieces), strict=True):
        heard.hear(torch.from_numpy(mixed)[None], torch.from_numpy(kept)[None])
    return heard


def test_another_sound_is_heard_in_what_is_left() -> None:
    dog, rain = sound("dog_bark"), sound("rain")
    left = rest(dog + rain, dog, "a dog barking").condition
    assert left is not None
    assert float(left @ load_encoder("tiny").embed_text(["rain falling"])[0]) > ALIKE


def test_leftovers_of_the_target_are_no_other_sound() -> None:
    rain = sound("rain")
    assert rest(rain, 0.5 * rain, "rain falling").condition is None  # loud, but like the query
    faint = 10 ** ((FAINT_DB - 1) / 20)
    assert rest(rain, (1 - faint) * rain, "a dog barking").condition is None  # another sound, but faint
    assert rest(rain, rain, "a dog barking").condition is None
    assert rest(0 * rain, 0 * rain, "a dog barking").condition is None


def test_it_does_not_matter_in_which_pieces_it_is_heard() -> None:
    dog, rain = np.tile(sound("dog_bark"), 7), np.tile(sound("rain"), 7)
    once, often = (rest(dog + rain, dog, "a dog barking", pieces).condition for pieces in (1, 13))
    assert once is not None
    assert often is not None
    torch.testing.assert_close(once, often, rtol=0.0, atol=1e-6)


@pytest.fixture(scope="module")
def separators() -> dict[str, Separator]:
    return {name: Separator.from_pretrained(policy=name) for name in ("base", "contrast:base")}


def test_the_rest_is_taken_out_on_average(separators: dict[str, Separator]) -> None:
    pairs = {
        ("a dog barking", "dog_bark"): "rain",
        ("rain falling", "rain"): "cat_meow",
        ("a siren", "siren"): "typing",
        ("a flute playing", "flute"): "dog_bark",
    }
    gains = []
    for (query, target), interference in pairs.items():
        kept, other = sound(target), sound(interference)
        other *= np.sqrt(np.square(kept).mean() / np.square(other).mean())
        mixture = (kept + other)[None].astype(np.float32)
        plain, contrasted = (
            sdr(kept, separator(mixture, RATE, [query])[query][0]) for separator in separators.values()
        )
        gains.append(contrasted - plain)
    assert np.mean(gains) > 0.0


def test_a_sound_alone_stays_as_it_is(separators: dict[str, Separator]) -> None:
    dog = sound("dog_bark")[None]
    plain, contrasted = (separator(dog, RATE, ["a dog barking"])["a dog barking"] for separator in separators.values())
    np.testing.assert_allclose(plain, contrasted, atol=1e-6)  # rounding: which backend runs depends on what ran before


def test_what_a_target_leaves_over_is_no_query_of_that_name(separators: dict[str, Separator]) -> None:
    mixture = (sound("dog_bark") + sound("rain"))[None]
    dog, rest = "a dog barking", "rest of a dog barking"
    alone = separators["contrast:base"](mixture, RATE, [rest])[rest]
    beside = separators["contrast:base"](mixture, RATE, [dog, rest])[rest]
    np.testing.assert_allclose(alone, beside, atol=1e-5)


def test_evaluations_and_recordings_agree(separators: dict[str, Separator]) -> None:
    dog, rain = sound("dog_bark"), sound("rain")
    mixture = dog + rain
    models = load_models()
    policy = make_policy("contrast:base")
    item = Item("0", "a dog barking", "", Recorded(Path("a.wav"), Path("b.wav")))
    settings = Running(None, 1, 1, False, False, False)
    run = Contrasted(None, policy)
    evaluated = separate_item(item, Loaded(mixture, dog, ""), run, models, settings)
    separated = separators["contrast:base"](mixture[None], RATE, ["a dog barking"])["a dog barking"][0]
    np.testing.assert_allclose(evaluated, separated, atol=1e-5)
    assert np.abs(evaluated).max() > 1e-2


def test_windows_and_files_give_what_the_whole_gives(
    separators: dict[str, Separator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    separator, query = separators["contrast:base"], "a dog barking"
    mixture = np.concatenate([sound("dog_bark", 13.0), sound("cat_meow", 8.3)]) + sound("rain", 21.3)
    audio = (0.3 * mixture / np.abs(mixture).max())[None].astype(np.float32)
    write_audio(tmp_path / "m.wav", audio, RATE, "FLOAT")
    told: list[tuple[int, str]] = []
    (written,) = separator.separate_file(
        tmp_path / "m.wav", [query], tmp_path, progress=lambda done, total, what: told.append((done, what))
    )
    windowed = separator(audio, RATE, [query])[query]
    np.testing.assert_array_equal(soundfile.read(str(written.path), dtype="float32")[0], windowed[0])
    listened, separated = (
        [done for done, what in told if what == f"{pass_} m.wav"] for pass_ in ("listening to", "separating")
    )
    assert listened[0] == 0
    assert listened == sorted(listened)
    assert len(listened) == len(separated) > 1
    assert separated[-1] == audio.shape[-1]
    monkeypatch.setattr("dplass_cli.separation.windows.CORE_SECONDS", 60.0)
    whole = separator(audio, RATE, [query])[query]
    error = np.sqrt(np.square(windowed - whole).mean() / np.square(whole).mean())
    assert 20 * np.log10(error) < -20.0
    plain = separators["base"](audio, RATE, [query])[query]
    assert np.abs(plain - whole).max() > 1e-3
