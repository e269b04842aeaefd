"""Refinement of a target by its residual."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dplass_cli import Separator, sounds
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import load_encoder
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.separation.refinement import FAINT_DB, SIMILAR, ResidualEmbedding

RATE = 32000


def sound(name: str, seconds: float = 4.0) -> np.ndarray:  # type: ignore[type-arg]
    return sounds.render(name, 11, seconds, RATE)


def residual(mixture: np.ndarray, estimate: np.ndarray, query: str, pieces: int = 1) -> torch.Tensor | None:  # type: ignore[type-arg]
    encoder = load_encoder("tiny")
    embedding = ResidualEmbedding(encoder.embed_text([query])[0], encoder, RATE)
    for mixed, kept in zip(np.array_split(mixture, pieces), np.array_split(estimate, pieces), strict=True):
        embedding.add(torch.from_numpy(mixed)[None], torch.from_numpy(kept)[None])
    return embedding.condition()


def test_the_residual_is_embedded_as_the_other_sound() -> None:
    dog, rain = sound("dog_bark"), sound("rain")
    left = residual(dog + rain, dog, "a dog barking")
    assert left is not None
    assert float(left @ load_encoder("tiny").embed_text(["rain falling"])[0]) > SIMILAR


def test_leftovers_of_the_target_do_not_count_as_a_residual() -> None:
    rain = sound("rain")
    assert residual(rain, 0.5 * rain, "rain falling") is None  # loud, but like the query
    faint = 10 ** ((FAINT_DB - 1) / 20)
    assert residual(rain, (1 - faint) * rain, "a dog barking") is None  # another sound, but faint
    assert residual(rain, rain, "a dog barking") is None
    assert residual(0 * rain, 0 * rain, "a dog barking") is None


def test_the_embedding_does_not_depend_on_the_windows() -> None:
    dog, rain = np.tile(sound("dog_bark"), 7), np.tile(sound("rain"), 7)
    once, often = (residual(dog + rain, dog, "a dog barking", pieces) for pieces in (1, 13))
    assert once is not None
    assert often is not None
    torch.testing.assert_close(once, often, rtol=0.0, atol=1e-6)


@pytest.fixture(scope="module")
def separators() -> dict[str, Separator]:
    return {name: Separator.from_pretrained(policy=name) for name in ("base", "base+residual")}


def test_refinement_raises_sdr_on_average(separators: dict[str, Separator]) -> None:
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
        plain, refined = (sdr(kept, separator(mixture, RATE, [query])[query][0]) for separator in separators.values())
        gains.append(refined - plain)
    assert np.mean(gains) > 0.0


def test_a_sound_alone_is_not_changed(separators: dict[str, Separator]) -> None:
    dog = sound("dog_bark")[None]
    plain, refined = (separator(dog, RATE, ["a dog barking"])["a dog barking"] for separator in separators.values())
    np.testing.assert_allclose(plain, refined, atol=1e-6)  # the backend, and so the rounding, depends on earlier runs


def test_a_query_may_be_named_like_a_residual(separators: dict[str, Separator]) -> None:
    mixture = (sound("dog_bark") + sound("rain"))[None]
    dog, rest = "a dog barking", "rest of a dog barking"
    alone = separators["base+residual"](mixture, RATE, [rest])[rest]
    beside = separators["base+residual"](mixture, RATE, [dog, rest])[rest]
    np.testing.assert_allclose(alone, beside, atol=1e-5)


def test_files_equal_arrays_and_each_pass_reports_progress(separators: dict[str, Separator], tmp_path: Path) -> None:
    separator, query = separators["base+residual"], "a dog barking"
    mixture = np.concatenate([sound("dog_bark", 13.0), sound("cat_meow", 8.3)]) + sound("rain", 21.3)
    audio = (0.3 * mixture / np.abs(mixture).max())[None].astype(np.float32)
    write_audio(tmp_path / "m.wav", audio, RATE, "FLOAT")
    reports: list[tuple[int, int, str]] = []
    (written,) = separator.separate_file(
        tmp_path / "m.wav", [query], tmp_path, progress=lambda *report: reports.append(report)
    )
    windowed = separator(audio, RATE, [query])[query]
    # The backend may change between the two.
    np.testing.assert_allclose(soundfile.read(str(written.path), dtype="float32")[0], windowed[0], atol=1e-6)
    assert {what for _, _, what in reports} == {"analysing m.wav", "separating m.wav"}
    assert [what for _, _, what in reports] == sorted(what for _, _, what in reports)
    passed = [done for done, _, _ in reports]
    assert passed == sorted(passed)  # one count over both passes
    assert (passed[0], passed[-1]) == (0, 2 * audio.shape[-1])
    assert {total for _, total, _ in reports} == {2 * audio.shape[-1]}
    plain = separators["base"](audio, RATE, [query])[query]
    assert np.abs(plain - windowed).max() > 1e-3
