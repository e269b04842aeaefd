"""Jobs: which queries and recordings are accepted, and the sounds that a job produces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile
from page_client import encoded, noise

pytest.importorskip("starlette", reason="pip install 'dplass[serve]'")

from dplass_cli.audio.reading import AudioInfo, audio_info
from dplass_cli.errors import InputError
from dplass_cli.separation.output import Separated
from dplass_cli.separation.presence import Presence
from dplass_cli.separation.queries import Query, named
from dplass_cli.server.job_queue import JobCancelled, SeparationJob
from dplass_cli.server.job_runner import SeparationRunner, parse_queries


class CopyingSeparator:
    """Writes a copy of the recording for every query and for the residual, and knows no word with an x."""

    bank = SimpleNamespace(keys=["domain0", "domain1"])
    policy = SimpleNamespace(name="text")
    encoder = SimpleNamespace(out_of_vocabulary=lambda text: f"{text} is not known" if "x" in text else None)

    def separate_file(
        self,
        path: Path,
        queries: Sequence[Query],
        folder: Path,
        residual: bool,
        consistent: bool,
        name: str,
        progress: Any,
    ) -> list[Separated]:
        written = []
        for done in range(3):
            progress(done, 2, f"separating {path.name}")
        asked = named(queries)
        for number, query in enumerate([*asked, *(["residual"] if residual else [])]):
            copy = folder / f"{name}_{number}.wav"
            copy.write_bytes(path.read_bytes())
            described = query in asked and not asked[query].is_removal
            found = Presence(0.9, 0.8, 0.1, -3.0, True) if described else None
            adapter = None if query == "residual" else "domain1"
            written.append(Separated(query, copy, adapter, clipped=number, presence=found))
        return written


def unreported(step: str, fraction: float, progress: float) -> None:
    """Ignore the progress of a job."""


@pytest.fixture
def runner() -> SeparationRunner:
    return SeparationRunner(CopyingSeparator())  # type: ignore[arg-type]


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., SeparationJob]:
    def make(content: bytes, *queries: str) -> SeparationJob:
        asked = parse_queries([("query", query) for query in queries])
        job = SeparationJob("id", tmp_path, queries=asked)
        job.upload.write_bytes(content)
        job.info = audio_info(job.upload)
        return job

    return make


def test_queries_are_stripped_and_repeated_ones_dropped() -> None:
    asked = [("query", " rain"), ("query", "a dog "), ("query", "rain")]
    assert parse_queries(asked) == (Query("rain"), Query("a dog"))


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("wind", ("wind",)),
        ("the wind", ("wind",)),
        ("wind and rain", ("wind", "rain")),
        ("remove the wind", ("wind",)),  # said twice
        ("everything", ("everything",)),
    ],
)
def test_a_sound_can_be_removed(text: str, sounds: tuple[str, ...]) -> None:
    assert parse_queries([("remove", text)]) == (Query(without=sounds),)


def test_a_sound_can_be_separated_and_removed() -> None:
    asked = parse_queries([("query", "rain"), ("remove", "rain")])
    assert [query.name for query in asked] == ["rain", "without rain"]


def test_many_sounds_in_few_queries_are_refused() -> None:
    lists = [("remove", ", ".join(f"the {letter}{n}" for n in range(9))) for letter in "ab"]
    with pytest.raises(InputError, match="query: 18 sounds in all, at most 16"):
        parse_queries(lists)


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([], "query: is empty; describe the sound"),
        (["rain", " "], "query: is empty"),
        (["residual"], "query: 'residual' is the name of the residual"),
        (["remove the residual"], "query: 'residual' is the name of the residual"),
        ([f"sound {number}" for number in range(9)], "query: 9 queries, at most 8"),
        (["x" * 301], "query: more than 300 characters"),
        (["a\0dog"], "contains a null character"),
    ],
)
def test_wrong_queries_are_refused(queries: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_queries([("query", query) for query in queries])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (AudioInfo(61 * 8000, 8000, 1, "WAV", "PCM_16"), r"61\.0 s long, at most 60 s"),
        (AudioInfo(8000, 8000, 9, "WAV", "PCM_16"), "9 channels, at most 8"),
        (
            AudioInfo(59 * 96000, 96000, 8, "FLAC", "PCM_16"),
            r"45\.3 million samples in all channels, at most 5\.8 mill",
        ),
    ],
)
def test_recordings_that_would_exhaust_the_machine_are_refused(
    runner: SeparationRunner, info: AudioInfo, message: str
) -> None:
    with pytest.raises(InputError, match=f"the recording: {message}"):
        runner.check(info, max_seconds=60.0)


def test_stereo_of_the_longest_length_is_accepted(runner: SeparationRunner) -> None:
    runner.check(AudioInfo(60 * 48000, 48000, 2, "WAV", "PCM_16"), max_seconds=60.0)


def test_the_description_names_the_policy(runner: SeparationRunner) -> None:
    assert runner.description == "2 adapters, chosen by text"


def test_the_description_of_a_base_without_adapters() -> None:
    separator = SimpleNamespace(bank=SimpleNamespace(keys=[]), policy=SimpleNamespace(name="base"))
    assert SeparationRunner(separator).description == "the base model alone"  # type: ignore[arg-type]


def test_a_job_produces_the_recording_a_target_per_query_and_the_residual(
    runner: SeparationRunner, job: Callable[..., SeparationJob]
) -> None:
    sounds = runner(job(encoded(noise(), 16000), "a dog", "rain"), unreported)
    assert [(s.name, s.kind, s.query, s.adapter, s.clipped) for s in sounds] == [
        ("recording", "recording", None, None, 0),
        ("1", "target", "a dog", "domain1", 0),
        ("2", "target", "rain", "domain1", 1),
        ("residual", "residual", None, None, 2),
    ]
    assert all(sound.picture.read_bytes().startswith(b"\x89PNG") for sound in sounds)


def test_the_removed_sounds_of_a_wish_are_sounds_too(
    runner: SeparationRunner, job: Callable[..., SeparationJob]
) -> None:
    sounds = runner(job(encoded(noise(), 16000), "remove the wind", "rain"), unreported)
    described = [(s.name, s.kind, s.query, s.understood, s.removes, s.presence is not None) for s in sounds[1:]]
    assert described == [
        ("1", "target", "without wind", "removing: wind", ("removed-1",), False),
        ("2", "target", "rain", None, (), True),
        ("removed-1", "removed", "wind", None, (), True),
        ("residual", "residual", None, None, (), False),
    ]


def test_a_removed_sound_that_is_also_a_query_is_not_repeated(
    runner: SeparationRunner, job: Callable[..., SeparationJob]
) -> None:
    sounds = runner(job(encoded(noise(), 16000), "remove the rain", "rain"), unreported)
    assert [(s.name, s.removes) for s in sounds[1:]] == [("1", ("2",)), ("2", ()), ("residual", ())]


def test_removals_alone_have_no_residual(runner: SeparationRunner, job: Callable[..., SeparationJob]) -> None:
    sounds = runner(job(encoded(noise(), 16000), "turn down the wind by 6 dB"), unreported)
    assert [(s.kind, s.query, s.reduce_db) for s in sounds[1:]] == [
        ("target", "less wind", None),
        ("removed", "wind", 6.0),
    ]


def test_words_that_the_encoder_does_not_know_are_noted(
    runner: SeparationRunner, job: Callable[..., SeparationJob]
) -> None:
    sounds = runner(job(encoded(noise(), 16000), "saxaphone", "remove the ax", "rain"), unreported)
    notes = {s.query: s.unknown for s in sounds if s.unknown}
    assert notes == {
        "saxaphone": ("saxaphone is not known",),
        "without ax": ("ax is not known",),
        "ax": ("ax is not known",),
    }


@pytest.mark.parametrize(
    ("form", "subtype", "expected"),
    [
        ("WAV", "PCM_24", "PCM_24"),
        ("WAV", "DOUBLE", "FLOAT"),
        ("WAV", "PCM_32", "FLOAT"),
        ("OGG", "VORBIS", "PCM_16"),
        ("AIFF", "PCM_U8", "PCM_16"),
    ],
)
def test_every_format_is_decoded_to_a_wav_that_browsers_play(
    runner: SeparationRunner, job: Callable[..., SeparationJob], form: str, subtype: str, expected: str
) -> None:
    recording = runner(job(encoded(noise(), 16000, form, subtype), "rain"), unreported)[0]
    assert (soundfile.info(recording.audio).format, soundfile.info(recording.audio).subtype) == ("WAV", expected)


def test_the_upload_is_removed_once_it_is_decoded(runner: SeparationRunner, job: Callable[..., SeparationJob]) -> None:
    made = job(encoded(noise(), 16000), "rain")
    runner(made, unreported)
    assert not made.upload.exists()


def test_steps_are_reported_in_their_order(runner: SeparationRunner, job: Callable[..., SeparationJob]) -> None:
    steps: list[str] = []
    runner(job(encoded(noise(), 16000), "rain"), lambda step, fraction, progress: steps.append(step))
    assert list(dict.fromkeys(steps)) == ["reading", "separating", "drawing"]


@pytest.mark.parametrize("cancelled_in", ["reading", "separating", "drawing"])
def test_a_cancelled_job_ends_within_each_step(
    runner: SeparationRunner, job: Callable[..., SeparationJob], cancelled_in: str
) -> None:
    def report(step: str, fraction: float, progress: float) -> None:
        if step == cancelled_in:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        runner(job(encoded(noise(), 16000), "rain"), report)
