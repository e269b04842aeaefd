"""What may be asked for, and what the network is conditioned by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.errors import InputError
from dplass_cli.separation.queries import (
    OUTSIDE_WEIGHT,
    SPAN_WEIGHT,
    Query,
    Source,
    Target,
    check_spans,
    condition,
    named,
    parse_spans,
    plan,
)


@pytest.fixture(scope="module")
def encoder() -> QueryEncoder:
    return load_encoder("tiny")


def silent(start: float, end: float) -> torch.Tensor:
    return torch.zeros(0)


def test_targets_have_distinct_names(tmp_path: Path) -> None:
    (tmp_path / "dogs").mkdir()
    asked = [
        "a dog",
        "a dog",
        Query("a dog", without=("wind",)),
        Query(like=tmp_path / "one.v2.wav"),
        Query(like=tmp_path / "dogs"),
        Query(spans=((0.5, 2.0), (3.0, 4.25))),
        Query(without=("wind", "rain")),
        Query(reduce=(("wind", 12.0),)),
        Query(without=("dog",), reduce=(("wind", 12.0), ("rain", 3.0))),
    ]
    names = ["a dog", "a dog (2)", "one.v2", "dogs", "at 0.5-2 s and 3-4.25 s", "without wind and rain"]
    assert list(named(asked)) == [*names, "less wind", "without dog and less wind and less rain"]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("", "--query is empty"),
        (" ", "--query is empty"),
        (Query(), "--query is empty"),
        (Query("a dog", without=("",)), "--not is empty"),
        (Query("a dog", without=("a dog",)), "--not 'a dog': is also the --query"),
        ("a dog\0", "contains a null character"),
        (
            Query("a dog", reduce=(("wind", 6.0),)),
            "--reduce wind: turns a sound down in the recording; leave out 'a dog'",
        ),
        (Query(reduce=(("wind", 0.0),)), "--reduce wind=0: expected decibels above 0, such as wind=12"),
        (Query(reduce=(("wind", float("nan")),)), "--reduce wind=nan: expected decibels above 0"),
        (Query(without=("wind",), reduce=(("wind", 6.0),)), "--reduce 'wind': expected a sound that is not removed"),
        (Query("a dog", like=Path("a.wav")), "a query has a sentence or an example, not both"),
        (Query("a dog", spans=((2.0, 1.0),)), "--spans 2-1: expected seconds, the start before the end"),
    ],
)
def test_invalid_queries_are_refused(query: str | Query, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        named([query])


def test_spans_are_parsed() -> None:
    assert parse_spans("3.2-4.0") == ((3.2, 4.0),)
    assert parse_spans(" 3.2-4 , 6-7.5") == ((3.2, 4.0), (6.0, 7.5))
    for wrong in ("", "3", "3-", "a-b", "-1-2", "1-2;3-4", "1-2,"):
        with pytest.raises(InputError, match=r"expected seconds such as 3\.2-4\.0"):
            parse_spans(wrong)


def test_examples_are_embedded(encoder: QueryEncoder, clips: dict[str, Path], tmp_path: Path) -> None:
    dog, rain = (condition(Query(like=clips[name]), encoder, silent) for name in ("dog_bark", "rain"))
    said = encoder.embed_text(["a dog barking"])[0]
    assert dog @ said > 0.5 > rain @ said
    for name in ("dog_bark", "rain"):
        (tmp_path / clips[name].name).symlink_to(clips[name])
    both = condition(Query(like=tmp_path), encoder, silent)
    torch.testing.assert_close(both, F.normalize(dog + rain, dim=-1), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match=r"no\.wav: no such audio file"):
        condition(Query(like=tmp_path / "no.wav"), encoder, silent)


def test_spans_turn_a_condition_towards_the_sound_inside_them(encoder: QueryEncoder, clips: dict[str, Path]) -> None:
    rate = encoder.sample_rate
    rng = np.random.default_rng(0)
    recording = torch.from_numpy(rng.standard_normal(40 * rate).astype(np.float32))
    asked: list[tuple[float, float]] = []

    def excerpt(start: float, end: float) -> torch.Tensor:
        asked.append((start, end))
        return recording[round(start * rate) : round(end * rate)]

    spans = ((12.0, 14.0), (15.0, 16.0))
    alone = condition(Query(spans=spans), encoder, excerpt)
    assert asked == [*spans, (2.0, 12.0), (14.0, 15.0), (16.0, 26.0)]
    inside = torch.cat([excerpt(*span) for span in spans])
    around = torch.cat([excerpt(*span) for span in ((2.0, 12.0), (14.0, 15.0), (16.0, 26.0))])
    heard, beside = encoder.embed_audio([inside, around], rate)
    torch.testing.assert_close(alone, F.normalize(heard - OUTSIDE_WEIGHT * beside, dim=-1))
    said = encoder.embed_text(["a dog"])[0]
    together = condition(Query("a dog", spans=spans), encoder, excerpt)
    torch.testing.assert_close(together, F.normalize((1 - SPAN_WEIGHT) * said + SPAN_WEIGHT * alone, dim=-1))
    whole = condition(Query(spans=((0.0, 40.0),)), encoder, excerpt)
    torch.testing.assert_close(whole, encoder.embed_audio([recording], rate)[0])


def test_spans_after_the_end_of_the_recording_are_refused() -> None:
    check_spans([Query("dog"), Query(spans=((1.0, 9.0), (50.0, 60.0)))], 2.4)
    with pytest.raises(InputError, match=r"--spans 3-4: starts after the end of the recording \(2.4 s\)"):
        check_spans([Query("dog"), Query(spans=((3.0, 4.0),))], 2.4)


def test_a_plan_lists_what_competes_with_each_target(encoder: QueryEncoder) -> None:
    queries = named(["dog", Query("rain", without=("wind",)), Query(without=("wind", "dog"))])
    apart = plan(queries, encoder, silent, consistent=False)
    dog, rain, wind = Source("dog"), Source("rain"), Source("wind", "excluded")
    assert list(apart.conditions) == [dog, rain, wind]
    assert apart.targets == {
        "dog": Target(dog, (dog,)),
        "rain": Target(rain, (rain, wind)),
        "without wind and dog": Target(None, (wind, dog)),  # the dog is a query too and is separated once
    }
    less = plan(named([Query(without=("wind",), reduce=(("rain", 20.0),))]), encoder, silent, consistent=False)
    turned_down = Source("rain", "excluded")
    expected = Target(None, (wind, turned_down), removed={turned_down: 0.9})
    assert less.targets == {"without wind and less rain": expected}
    assert list(less.conditions) == [wind, turned_down]
    together = plan(queries, encoder, silent, consistent=True)
    assert together.targets["dog"].rivals == (dog, rain)
    assert together.targets["rain"].rivals == (rain, dog, wind)
    torch.testing.assert_close(together.conditions[wind], encoder.embed_text(["wind"])[0])


def test_a_sentence_to_keep_out_is_not_the_example_of_that_name(encoder: QueryEncoder, clips: dict[str, Path]) -> None:
    queries = named([Query(like=clips["dog_bark"], without=("dog_bark",))])
    planned = plan(queries, encoder, silent, consistent=False)
    first, second = planned.targets["dog_bark"].rivals
    assert (first, second) == (Source("dog_bark"), Source("dog_bark", "excluded"))
    torch.testing.assert_close(planned.conditions[first], condition(queries["dog_bark"], encoder, silent))
    torch.testing.assert_close(planned.conditions[second], encoder.embed_text(["dog_bark"])[0])


def test_an_example_that_is_not_audio_is_refused(encoder: QueryEncoder, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(InputError, match="not a readable audio file"):
        condition(Query(like=tmp_path / "a.wav"), encoder, silent)
    write_audio(tmp_path / "b.wav", np.full((2, 100), 0.1, np.float32) * np.float32([1, -1] * 50), 8000)
    assert torch.isfinite(condition(Query(like=tmp_path / "b.wav"), encoder, silent)).all()


@pytest.mark.parametrize("offset", [0.1, -0.5])
def test_the_offset_of_an_example_does_not_matter(
    encoder: QueryEncoder, clips: dict[str, Path], tmp_path: Path, offset: float
) -> None:
    audio, rate = read_audio(clips["dog_bark"])
    write_audio(tmp_path / "a.wav", 0.01 * audio + np.float32(offset), rate, "FLOAT")
    moved, plain = (condition(Query(like=path), encoder, silent) for path in (tmp_path / "a.wav", clips["dog_bark"]))
    assert float(moved @ plain) > 0.999
    write_audio(tmp_path / "b.wav", np.full((1, rate), offset, np.float32), rate, "FLOAT")
    with pytest.raises(InputError, match=r"b\.wav: is silent"):
        condition(Query(like=tmp_path / "b.wav"), encoder, silent)


@pytest.mark.parametrize("level", [0.0, 5e-5])
def test_a_silent_example_is_refused(encoder: QueryEncoder, tmp_path: Path, level: float) -> None:
    write_audio(tmp_path / "quiet" / "b.wav", level * np.float32([[1, -1] * 8000]), 16000)
    for like in (tmp_path / "quiet", tmp_path / "quiet" / "b.wav"):
        with pytest.raises(InputError, match=r"--like .*b\.wav: is silent; give a recording of the sound"):
            condition(Query(like=like), encoder, silent)


def test_spans_of_silence_are_refused(encoder: QueryEncoder) -> None:
    def excerpt(start: float, end: float) -> torch.Tensor:
        return torch.zeros(round((end - start) * 100))

    with pytest.raises(InputError, match=r"--spans 1-2,3-4: the recording is silent there"):
        condition(Query(spans=((1.0, 2.0), (3.0, 4.0))), encoder, excerpt)


def test_spans_shorter_than_a_sample_are_refused(encoder: QueryEncoder) -> None:
    with pytest.raises(InputError, match=r"--spans 2.99999-3: is shorter than a sample"):
        condition(Query(spans=((2.99999, 3.0),)), encoder, lambda start, end: torch.empty(0))


def test_a_text_is_one_query() -> None:
    assert list(named("dog")) == ["dog"]
