"""Downloads of a job: names, formats, mixes and zips, in bounded memory, and without files of dropped jobs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from page_client import noise

pytest.importorskip("starlette", reason="pip install 'dplass[serve]'")

from dplass_cli.audio.reading import AudioInfo
from dplass_cli.audio.writing import write_audio
from dplass_cli.server.downloads import file_stems, formats_for, mix_file, sound_file, zip_blocks
from dplass_cli.server.job_queue import JobNotFound, SeparationJob, Sound


@pytest.fixture
def job(tmp_path: Path) -> SeparationJob:
    """A finished job: twenty seconds of a recording, a target, what another query removes, and the residual."""
    folder = tmp_path / "job"
    folder.mkdir()
    audio = folder / "sound.wav"
    write_audio(audio, noise(20.0, 48000, 2).T, 48000, "FLOAT")

    def sound(name: str, kind: str, query: str | None = None) -> Sound:
        return Sound(name, kind, audio, audio, query)  # type: ignore[arg-type]

    made = SeparationJob("id", folder, name="../Straße 1.flac", state="done")
    made.sounds = (
        sound("recording", "recording"),
        sound("1", "target", "the rain!"),
        sound("2", "target", "removed wind"),
        sound("removed-1", "removed", "wind"),
        sound("residual", "residual"),
    )
    return made


def test_files_are_named_after_the_recording_and_the_query(job: SeparationJob) -> None:
    assert file_stems(job) == {
        "recording": "Straße_1_recording",
        "1": "Straße_1_the_rain",
        "2": "Straße_1_removed_wind",
        "removed-1": "Straße_1_removed_wind_2",
        "residual": "Straße_1_residual",
    }


def test_a_recording_without_a_name_gives_names_too(job: SeparationJob) -> None:
    job.name = "..."
    assert file_stems(job)["1"] == "recording_the_rain"


@pytest.mark.parametrize(
    ("rate", "channels", "formats"),
    [
        (44100, 2, ["wav", "flac", "mp3"]),
        (44100, 6, ["wav", "flac"]),
        (191999, 1, ["wav", "mp3"]),
    ],
)
def test_only_formats_that_can_represent_the_recording_are_offered(
    rate: int, channels: int, formats: list[str]
) -> None:
    assert formats_for(AudioInfo(rate, rate, channels, "MP3", "MPEG_LAYER_III")) == formats


def test_float_samples_become_flac_of_24_bits(job: SeparationJob) -> None:
    path = sound_file(job, job.sounds[0], "flac")
    assert (soundfile.info(path).format, soundfile.info(path).subtype) == ("FLAC", "PCM_24")
    assert sound_file(job, job.sounds[0], "flac").stat().st_mtime_ns == path.stat().st_mtime_ns  # not encoded again


def test_a_zip_is_written_in_small_blocks(job: SeparationJob) -> None:
    blocks = list(zip_blocks(job, "wav"))
    assert max(map(len, blocks)) < 1 << 19
    with zipfile.ZipFile(io.BytesIO(b"".join(blocks))) as archive:
        assert archive.testzip() is None
        assert [entry.file_size for entry in archive.infolist()] == [job.sounds[0].audio.stat().st_size] * 4


def test_a_mix_that_would_exceed_full_scale_is_turned_down(job: SeparationJob) -> None:
    sounds = dict.fromkeys(job.sounds[:3], 12.0)
    mixed, _ = soundfile.read(mix_file(job, sounds, "wav"))
    source, _ = soundfile.read(job.sounds[0].audio)
    np.testing.assert_allclose(mixed, source * 0.999 / np.abs(source).max(), atol=1e-5)


@pytest.mark.parametrize("form", ["flac", "mp3"])
def test_nothing_is_left_of_a_job_that_is_dropped_meanwhile(job: SeparationJob, form: str) -> None:
    job.cancelled = True
    job.sounds[0].audio.unlink()
    with pytest.raises(JobNotFound):
        sound_file(job, job.sounds[0], form)  # type: ignore[arg-type]
    assert not job.folder.exists()
