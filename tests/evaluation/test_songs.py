"""Songs with stems: finding them, their scores, and museval's ratios."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
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
    museval_ratios,
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
    references = stems(1)
    error = np.where(np.arange(len(references["bass"][0])) < RATE, 0.01, 0.1).astype(np.float32)
    estimates = {name: audio + error for name, audio in references.items()}
    ratios = frame_sdr(references, estimates, RATE)
    assert ratios.shape == (4, 2)
    for (number, frame), ratio in np.ndenumerate(ratios):
        part = slice(frame * RATE, (frame + 1) * RATE)
        true, found = (signals[SOURCES[number]][:, part].ravel() for signals in (references, estimates))
        assert ratio == pytest.approx(sdr(true, found), abs=1e-3)


@pytest.mark.parametrize("silent", ["stem", "estimate"])
def test_frames_in_which_a_source_is_silent_have_no_ratios(silent: str) -> None:
    references = stems(1)
    estimates = {name: 0.9 * audio for name, audio in references.items()}
    (references if silent == "stem" else estimates)["bass"][:, :RATE] = 0.0
    ratios = frame_sdr(references, estimates, RATE)
    assert np.isnan(ratios[:, 0]).all()
    np.testing.assert_allclose(ratios[:, 1], 20.0, atol=1e-3)


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


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package museval that cannot be imported, as without ffmpeg, and whose metrics are made up."""
    (tmp_path / "museval").mkdir()
    (tmp_path / "museval" / "__init__.py").write_text("raise RuntimeError('ffmpeg or ffprobe could not be found!')")
    (tmp_path / "museval" / "metrics.py").write_text(
        "import numpy as np\n"
        "def bss_eval(references, estimates, window, hop, compute_permutation):\n"
        "    assert references.shape == estimates.shape == (3, 20000, 2)\n"
        f"    assert (window, hop, compute_permutation) == ({RATE}, {RATE}, False)\n"
        "    frames = np.array([[1.0, np.nan], [2.0, 8.0], [np.nan, np.nan]])\n"
        "    return [*(frames + ratio for ratio in range(4)), None]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("stand_in")
def test_ratios_of_museval_are_medians_over_frames_without_silent_stems(tmp_path: Path) -> None:
    sounds = stems(4)
    sounds["other"] = np.zeros_like(sounds["bass"])  # museval would refuse it
    scores = score_song(load_song(write_song(tmp_path / "A", sounds)), sounds, "base", museval=True)
    assert [score.sdr_v4 for score in scores] == [1.0, 5.0, None, None]
    assert [score.sar_v4 for score in scores] == [4.0, 8.0, None, None]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("museval") is None, reason="museval is not installed")
def test_the_sdr_is_that_of_museval() -> None:
    references = stems(5)
    estimates = {name: 0.8 * audio + 0.1 * references["drums"] for name, audio in references.items()}
    references["bass"][:, :RATE] = 0.0
    references["other"][:] = 0.0
    expected = museval_ratios(references, estimates, RATE)
    assert np.isfinite(expected[:, :2, 1]).all()
    np.testing.assert_allclose(frame_sdr(references, estimates, RATE), expected[0], atol=1e-9)


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
