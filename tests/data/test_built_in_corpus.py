"""Files of built-in sounds."""

from __future__ import annotations

from pathlib import Path

from dplass_cli import sounds
from dplass_cli.audio.reading import audio_info, read_audio
from dplass_cli.data.built_in_corpus import write_corpus, write_evaluation_mixtures, write_recording
from dplass_cli.data.mixture_tables import read_mixtures
from dplass_cli.storage import no_progress


def test_a_corpus_has_audiosets_layout(tmp_path: Path) -> None:
    write_corpus(tmp_path, 1, no_progress)
    lines = (tmp_path / "segments.csv").read_text().splitlines()
    assert lines[2].startswith("# YTID")
    videos = [line.split(",")[0] for line in lines[3:]]
    assert len(set(videos)) == len(videos) == len(sounds.CATALOGUE)
    assert all(len(video) == 11 for video in videos)
    assert {path.stem for path in (tmp_path / "audio").iterdir()} == {f"Y{video}" for video in videos}


def test_evaluation_mixtures_combine_two_groups(tmp_path: Path) -> None:
    mixtures = read_mixtures(write_evaluation_mixtures(tmp_path, 6))
    groups = {kind.name: kind.group for kind in sounds.CATALOGUE}
    assert len(mixtures) == 6
    assert all(groups[mixture.source.wav.stem] != groups[mixture.noise.wav.stem] for mixture in mixtures)
    assert all(mixture.snr_db == 0.0 for mixture in mixtures)


def test_the_recording_is_stereo_with_the_dog_on_the_left(tmp_path: Path) -> None:
    recording, reference = write_recording(tmp_path)
    info = audio_info(recording)
    assert (info.sample_rate, info.channels, info.seconds) == (44100, 2, 8.0)
    left, right = read_audio(reference)[0]
    assert abs(left).max() > 1.9 * abs(right).max()
