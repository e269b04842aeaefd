"""Songs with stems: finding them, their scores, and museval's ratios."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.evaluation.scores import SongScore
from dplass_cli.evaluation.songs import (
    SOURCES,
    Song,
    find_songs,
    frame_sdr,
    load_song,
    require_museval,
    score_song,
    songs_frame,
    songs_table,
    summarise,
)

RATE = 8000


def stems(seed: int, seconds: float = 2.5) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {name: 0.1 * generator.standard_normal((2, round(seconds * RATE))).astype(np.float32) for name in SOURCES}


def write_song(folder: Path, sounds: dict[str, Any]) -> Song:
    for name, audio in {**sounds, "mixture": sum(sounds.values())}.items():
        folder.mkdir(parents=True, exist_ok=True)
        write_audio(folder / f"{name}.wav", audio, RATE, "FLOAT")
    return Song(folder.name, folder)


def test_songs_are_found_in_their_split(tmp_path: Path) -> None:
    for name in ("test/B", "test/A", "train/C"):
        write_song(tmp_path / name, stems(0, 0.1))
    assert [song.name for song in find_songs(tmp_path, "test", tmp_path / "stems")] == ["A", "B"]


def test_a_song_without_a_stem_is_refused(tmp_path: Path) -> None:
    (write_song(tmp_path / "test" / "A", stems(0, 0.1)).stem("bass")).unlink()
    with pytest.raises(InputError, match=r"test/A/bass\.wav: is missing"):
        find_songs(tmp_path, "test", tmp_path / "stems")
    with pytest.raises(InputError, match="contains no songs"):
        find_songs(tmp_path / "test" / "A", "test", tmp_path / "stems")


def test_frames_are_energy_ratios_of_one_second() -> None:
    reference = stems(1)["bass"]
    estimate = reference + np.where(np.arange(reference.shape[1]) < RATE, 0.01, 0.1).astype(np.float32)
    ratios = frame_sdr(reference, estimate, RATE)
    assert ratios.shape == (2,)
    for frame, ratio in enumerate(ratios):
        part = slice(frame * RATE, (frame + 1) * RATE)
        assert ratio == pytest.approx(sdr(reference[:, part].ravel(), estimate[:, part].ravel()), abs=1e-3)
    reference[:, :RATE] = 0.0
    assert np.isnan(frame_sdr(reference, estimate, RATE)[0])


def test_scores_are_of_each_source_against_its_stem(tmp_path: Path) -> None:
    sounds = stems(2)
    sounds["other"] = np.zeros_like(sounds["bass"])
    song = load_song(write_song(tmp_path / "A", sounds))
    scores = songs_frame(score_song(song, {name: 0.9 * audio for name, audio in sounds.items()}, "text"))
    assert list(scores.source) == ["vocals", "drums", "bass"]  # a silent stem has no score
    assert set(scores.song) == {"A"}
    assert set(scores.policy) == {"text"}
    np.testing.assert_allclose(scores.sdr, 20.0, atol=1e-3)
    np.testing.assert_allclose(scores.sdr_v4, 20.0, atol=1e-3)
    assert scores.sir_v4.isna().all()
    unchanged = score_song(song, dict.fromkeys(SOURCES, song.mixture), "base")
    np.testing.assert_allclose([score.sdri for score in unchanged[:3]], 0.0, atol=1e-6)
    assert [score.level_db for score in unchanged] == [0.0] * 4


def test_a_stem_of_another_length_is_refused(tmp_path: Path) -> None:
    song = write_song(tmp_path / "A", stems(3))
    write_audio(song.stem("drums"), stems(3, 1.0)["drums"], RATE, "FLOAT")
    with pytest.raises(InputError, match=r"drums\.wav: 8000 samples, .* but the mixture has 20000"):
        load_song(song)


def test_ratios_of_museval_are_medians_over_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(references: Any, estimates: Any, win: int, hop: int, mode: str) -> list[Any]:
        assert references.shape == estimates.shape == (4, 20000, 2)
        assert (win, hop, mode) == (RATE, RATE, "v4")
        frames = np.array([[1.0, np.nan, 3.0], [2.0, 2.0, 8.0], [np.nan] * 3, [0.0, 0.0, 0.0]])
        return [frames + ratio for ratio in range(4)]

    museval = ModuleType("museval")
    museval.evaluate = evaluate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "museval", museval)
    sounds = stems(4)
    scores = score_song(load_song(write_song(tmp_path / "A", sounds)), sounds, "base", museval=True)
    assert [score.sdr_v4 for score in scores] == [2.0, 2.0, None, 0.0]
    assert [score.sar_v4 for score in scores[:2]] == [5.0, 5.0]


def test_without_museval_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"museval is not installed; pip install 'dplass\[music\]'"):
        require_museval()


def test_sources_are_summarised_over_the_songs() -> None:
    rows = [("A", 1.0, 10.0), ("B", 2.0, 20.0), ("C", 6.0, 60.0)]
    scores = [
        SongScore(f"{song}/{source}", source, "base", sdr=mean, sdr_v4=median, sdri=0.0, si_sdr=0.0)
        for song, mean, median in rows
        for source in ("drums", "bass")
    ]
    table = summarise(songs_frame(scores))
    assert table.source.tolist() == ["drums", "bass", "all"]
    assert table.sdr.tolist() == [3.0, 3.0, 3.0]
    assert table.sdr_v4.tolist() == [20.0, 20.0, 20.0]
    assert table.songs.tolist() == [3, 3, 3]
    shown = songs_table([{**row, "isr_v4": None, "sir_v4": None, "sar_v4": None} for row in table.to_dict("records")])
    assert list(shown.columns) == ["policy", "source", "SDR v4", "SDR", "SDRi", "SI-SDR"]
