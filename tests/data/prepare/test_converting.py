"""Copies of clips in a form that is fast to read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.reading import audio_info, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.converting import CopiedClip, SourceRange, convert_clips, is_copy
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import check_form
from dplass_cli.storage import no_progress


def source(path: Path, level: float = 0.5, channels: int = 2) -> SourceRange:
    write_audio(path, np.full((channels, 8000), level, np.float32), 16000)
    return SourceRange(str(path))


def convert(folder: Path, *sources: SourceRange) -> list[CopiedClip]:
    return convert_clips(sources, folder / "copies", "8k-mono-flac", no_progress)


def test_a_copy_is_mono_at_the_rate_of_the_form(tmp_path: Path) -> None:
    (copy,) = convert(tmp_path, source(tmp_path / "a.wav"))
    assert copy.made
    assert copy.path is not None
    info = audio_info(copy.path)
    assert (info.sample_rate, info.channels, info.frames) == (8000, 1, 4000)
    np.testing.assert_allclose(read_mono(Path(copy.path), 8000)[1000:3000], 0.5, atol=1e-3)


def test_a_range_is_copied_alone_and_separately(tmp_path: Path) -> None:
    whole = source(tmp_path / "a.wav")
    copies = convert(tmp_path, whole, whole._replace(start=0.1, end=0.2))
    assert [audio_info(copy.path).frames for copy in copies if copy.path] == [4000, 800]


def test_an_unchanged_source_is_copied_once(tmp_path: Path) -> None:
    clip = source(tmp_path / "a.wav")
    (first,) = convert(tmp_path, clip)
    assert convert(tmp_path, clip) == [CopiedClip(first.path, made=False)]
    os.utime(clip.path, ns=(1, 1))
    assert convert(tmp_path, clip) == [first]


def test_a_source_above_full_scale_is_attenuated(tmp_path: Path) -> None:
    (copy,) = convert(tmp_path, source(tmp_path / "loud.wav", level=2.0))
    assert copy.turned_down
    assert copy.path is not None
    assert np.abs(read_mono(Path(copy.path), 8000)).max() <= 1.0


def test_an_unreadable_source_has_no_copy_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.wav").write_text("<html>")
    copies = convert(tmp_path, SourceRange(str(tmp_path / "page.wav")), source(tmp_path / "a.wav"))
    assert [copy.path is None for copy in copies] == [True, False]


def test_copies_are_recognised_by_their_name_and_folder() -> None:
    name = "aa/dog-0123456789ab.flac"
    assert is_copy(f"/x/train-32k-mono-flac/{name}")
    assert not is_copy(f"/x/mine/{name}")
    assert is_copy(f"/x/mine/{name}", Path("/x/mine"))
    assert not is_copy("/x/train-32k-mono-flac/dog.flac")


@pytest.mark.parametrize("form", ["flac", "0k-mono-flac", "32k-stereo-flac", "32k-mono-mp3"])
def test_another_form_is_refused(form: str) -> None:
    with pytest.raises(InputError, match=f"--convert {form}: expected a rate, mono and flac or wav"):
        check_form(form)


def test_a_form_is_a_rate_and_a_suffix() -> None:
    assert check_form("44.1k-mono-wav") == (44100, ".wav")
