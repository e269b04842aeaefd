"""Tags, chunks and speakers of a recording are kept in what is made of it."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from videos import make_tracks, make_video, tone

from dplass_cli.audio.encoding import lossy_writer
from dplass_cli.audio.metadata import Metadata, read_metadata
from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.unfinished import wav_chunks
from dplass_cli.audio.video import write_video
from dplass_cli.audio.writing import audio_writer

RATE = 48000
SAMPLES = np.linspace(-0.5, 0.5, 4801, dtype=np.float32)[None]  # an odd number, so that chunks are padded
TAGS = {
    "title": "Straße",
    "artist": "Ada",
    "album": "Field",
    "date": "2026-11-30",
    "genre": "Nature",
    "comment": "wind",
}
BEXT = b"Take 7".ljust(256, b"\0") + bytes(32 + 32 + 10 + 8) + (RATE * 3600).to_bytes(8, "little") + bytes(256)
IXML = b"<BWFXML><SCENE>12</SCENE></BWFXML>!"  # an odd number of bytes


def write(path: Path, metadata: Metadata, subtype: str, channels: int = 1) -> Path:
    samples = np.repeat(SAMPLES, channels, axis=0)
    with audio_writer(path, RATE, channels, subtype, samples.shape[1], metadata) as add:
        add(samples)
    return path


def speakers_of(path: Path) -> int:
    with open(path, "rb") as stream:
        form = next(chunk for chunk in wav_chunks(stream) if chunk.name == b"fmt ")
        stream.seek(form.start)
        content = stream.read(form.length)
    return int.from_bytes(content[20:24], "little")


def tags_by_ffmpeg(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {
            name.lower(): text for name, text in {**container.streams.audio[0].metadata, **container.metadata}.items()
        }


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_tags_are_read_back(tmp_path: Path, name: str) -> None:
    subtype = "VORBIS" if name == "a.ogg" else "PCM_16"
    path = write(tmp_path / name, Metadata(TAGS), subtype)
    assert read_metadata(path).tags == TAGS
    assert tags_by_ffmpeg(path).items() >= TAGS.items()


@pytest.mark.parametrize("name", ["a.mp3", "a.opus", "a.m4a"])
def test_lossy_files_get_the_tags(tmp_path: Path, name: str) -> None:
    with lossy_writer(tmp_path / name, RATE, 1, tags=Metadata({**TAGS, "tracknumber": "3"}).ffmpeg_tags) as add:
        add(SAMPLES)
    assert tags_by_ffmpeg(tmp_path / name).items() >= {"title": "Straße", "artist": "Ada", "track": "3"}.items()
    assert (
        read_metadata(tmp_path / name).tags.items() >= {"title": "Straße", "album": "Field", "tracknumber": "3"}.items()
    )


def test_chunks_of_a_broadcast_wav_are_kept_byte_by_byte(tmp_path: Path) -> None:
    chunks = ((b"bext", BEXT), (b"iXML", IXML))
    first = write(tmp_path / "a.wav", Metadata(chunks=chunks), "PCM_24")
    assert read_metadata(write(tmp_path / "c.wav", Metadata({"title": "T"}, chunks), "PCM_16")).tags == {"title": "T"}
    found = read_metadata(first)
    assert found.chunks == chunks
    second = write(tmp_path / "b.wav", found, "PCM_16")
    assert read_metadata(second).chunks == chunks
    with av.open(str(second)) as container:  # FFmpeg finds the time reference
        assert container.metadata["time_reference"] == str(RATE * 3600)
    assert soundfile.info(str(second)).frames == SAMPLES.shape[1]
    np.testing.assert_allclose(read_audio(second)[0], SAMPLES, atol=2**-15)
    assert int.from_bytes(second.read_bytes()[4:8], "little") == second.stat().st_size - 8


def test_tags_of_a_wav_are_not_written_twice(tmp_path: Path) -> None:
    found = read_metadata(write(tmp_path / "a.wav", Metadata(TAGS), "PCM_16"))
    assert found.tags == TAGS
    copy = write(tmp_path / "b.wav", found, "PCM_16")
    with open(copy, "rb") as stream:
        assert [chunk.name for chunk in wav_chunks(stream)].count(b"LIST") == 1
    assert read_metadata(copy) == found
    assert read_metadata(write(tmp_path / "b.flac", found, "PCM_16")).tags == TAGS


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_the_speakers_of_a_wav_are_kept(tmp_path: Path, channels: int) -> None:
    speakers = 0x60F if channels == 6 else 0x600 | (0x3 if channels == 4 else 0)
    path = write(tmp_path / "a.wav", Metadata(speakers=speakers), "PCM_24", channels)
    assert (speakers_of(path), read_metadata(path).speakers) == (speakers, speakers)
    assert (soundfile.info(str(path)).format, soundfile.info(str(path)).channels) == ("WAVEX", channels)
    plain = write(tmp_path / "b.wav", Metadata(), "PCM_24", channels)
    assert (soundfile.info(str(plain)).format, read_metadata(plain).speakers) == ("WAV", None)


def test_a_long_wav_keeps_chunks_and_speakers(tmp_path: Path) -> None:
    metadata = Metadata(chunks=((b"iXML", IXML),), speakers=0x600)
    with audio_writer(tmp_path / "a.wav", RATE, 2, "PCM_24", 1 << 30, metadata) as add:
        add(np.repeat(SAMPLES, 2, axis=0))
    content = (tmp_path / "a.wav").read_bytes()
    assert (content[:4], int.from_bytes(content[20:28], "little")) == (b"RF64", len(content) - 8)
    assert (read_metadata(tmp_path / "a.wav").chunks, speakers_of(tmp_path / "a.wav")) == (metadata.chunks, 0x600)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0][:1], SAMPLES, atol=2**-20)


@pytest.mark.parametrize("chunks", [b"", b"fmt ", b"iXML\xff\xff\xff\x7fabc", b"LIST\2\0"])
def test_malformed_files_have_no_metadata(tmp_path: Path, chunks: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0WAVE" + chunks)
    assert read_metadata(tmp_path / "a.wav") == Metadata()


@pytest.mark.parametrize("name", [b"take.raw", b"caf\xe9.wav"])
def test_the_name_of_a_file_does_not_matter(tmp_path: Path, name: bytes) -> None:
    path = write(tmp_path / "a.wav", Metadata(TAGS), "PCM_16").rename(tmp_path / os.fsdecode(name))
    assert read_metadata(path).tags == TAGS


def test_many_chunks_are_kept_up_to_a_size_in_all(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", Metadata(chunks=((b"bext", BEXT), *[(b"iXML", bytes(500_000))] * 20)), "PCM_16")
    kept = read_metadata(path).chunks
    assert kept[0] == (b"bext", BEXT)
    assert sum(len(content) for _, content in kept) < 1 << 20


def test_a_track_has_its_own_tags(tmp_path: Path) -> None:
    path = make_tracks(tmp_path / "a.mkv", SAMPLES, SAMPLES, titles=("Film", "Commentary"))
    assert [read_metadata(path, track).tags["title"] for track in (0, 1)] == ["Film", "Commentary"]


def test_a_video_keeps_its_tags(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", tags={"title": "Straße", "date": "2026"})
    write_video(source, tmp_path / "b.mp4", [tone(1000.0)], RATE, 2)
    assert tags_by_ffmpeg(tmp_path / "b.mp4").items() >= {"title": "Straße", "date": "2026"}.items()
