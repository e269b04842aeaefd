"""Degraded copies of clips: each condition does what it says, and the manifests name the copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from degrade_clips import CONDITIONS, NOISE_DB, RATE, degrade
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, read_manifest

SECONDS = 2


@pytest.fixture(scope="module")
def degraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chirp up to 15 kHz, with two captions."""
    folder = tmp_path_factory.mktemp("clips")
    time = np.arange(SECONDS * RATE) / RATE
    chirp = 0.3 * np.sin(2 * np.pi * 15000 / (2 * SECONDS) * time**2)
    write_audio(folder / "chirp.wav", chirp[None].astype(np.float32), RATE)
    rows = [Row(folder / "chirp.wav", caption, labels=("/m/1",)) for caption in ("a chirp", "a sweep")]
    degrade(rows, folder / "output")
    return folder / "output"


def clip(degraded: Path, name: str) -> Audio:
    return read_mono(degraded / name / f"0{CONDITIONS[name][0]}", RATE)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_has_the_clip_with_its_captions(degraded: Path, name: str) -> None:
    rows = read_manifest(degraded / name / "clips.json")
    assert [(row.caption, row.labels) for row in rows] == [("a chirp", ("/m/1",)), ("a sweep", ("/m/1",))]
    assert {row.wav.name for row in rows} == {f"0{CONDITIONS[name][0]}"}
    assert len(clip(degraded, name)) == pytest.approx(SECONDS * RATE, abs=0.1 * RATE)


def energy_above(audio: Audio, hertz: float) -> float:
    spectrum = np.square(np.abs(np.fft.rfft(audio)))
    return float(spectrum[round(hertz * len(audio) / RATE) :].sum() / spectrum.sum())


def test_a_telephone_has_no_high_frequencies(degraded: Path) -> None:
    assert energy_above(read_mono(degraded.parent / "chirp.wav", RATE), 4500) > 0.5
    assert energy_above(clip(degraded, "telephone"), 4500) < 0.01


def test_noise_has_its_level_and_a_room_its_tail(degraded: Path) -> None:
    clean = read_mono(degraded.parent / "chirp.wav", RATE)
    rest = clip(degraded, "noise") - clean
    assert 10 * np.log10(np.square(rest).mean() / np.square(clean).mean()) == pytest.approx(NOISE_DB, abs=0.1)
    wet = clip(degraded, "room")
    late = RATE // 100  # the first 10 ms are nearly dry
    assert np.corrcoef(wet[:late], clean[:late])[0, 1] > 0.9
    assert np.corrcoef(wet, clean)[0, 1] < 0.9
