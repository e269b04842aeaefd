"""Decoding with FFmpeg: what is decoded, and what is never touched."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from encoded_audio import write_encoded

from dplass_cli.audio.ffmpeg import FFmpegSource, measure
from dplass_cli.audio.source import DamagedAudio, UnsupportedAudio

RATE = 16000


def write(path: Path, container: str, codec: str = "aac", pictures: str | None = None, **form: object) -> Path:
    """Write a tone of RATE / 2 samples; with ``pictures``, a codec, next to a second track of three frames."""
    tone = 0.1 * np.sin(np.arange(RATE // 2) / 5)[None]
    return write_encoded(path, tone, form.pop("rate", RATE), container, codec, pictures=pictures, **form)  # type: ignore[arg-type]


def samples(source: FFmpegSource, first: int = 0, size: int = 1 << 30) -> np.ndarray:  # type: ignore[type-arg]
    with source.open(first) as read:
        return read(size)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("ipod", "aac"), ("mp4", "aac"), ("mpegts", "aac"), ("webm", "libopus"), ("mov", "pcm_s16le"), ("mpegts", "mp2")],
)
def test_the_common_containers_and_codecs_are_decoded(tmp_path: Path, container: str, codec: str) -> None:
    source = measure(write(tmp_path / "sound", container, codec))
    audio, rate = samples(source), source.info.sample_rate
    assert audio.shape == (1, source.info.frames)
    assert rate in (RATE, 48000)  # Opus is decoded at 48 kHz
    assert 0.5 <= audio.shape[1] / rate < 0.7
    assert np.sqrt(np.square(audio[:, : rate // 2]).mean()) == pytest.approx(0.1 / np.sqrt(2), rel=0.15)


def test_video_tracks_are_not_decoded(tmp_path: Path) -> None:
    """A malicious video attacks FFmpeg's video decoders, which run as soon as a file is opened."""
    path = write(tmp_path / "video.mkv", "matroska", pictures="ffv1")
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            audio = samples(measure(path))
    finally:
        av.logging.set_level(before)
    assert audio.shape[1] >= RATE // 2
    assert any("ffv1" in line and "not on whitelist" in line for _, _, line in said)


def test_a_playlist_reads_no_other_file(tmp_path: Path) -> None:
    write(tmp_path / "other.m4a", "ipod")
    (tmp_path / "list.m4a").write_text("ffconcat version 1.0\nfile other.m4a\n")
    with pytest.raises(UnsupportedAudio, match=r"list\.m4a: not decodable"):
        measure(tmp_path / "list.m4a")


def test_a_file_name_is_not_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "concat:a", "ipod")
    monkeypatch.chdir(tmp_path)
    assert measure(Path("concat:a")).info.sample_rate == RATE


def test_a_codec_that_is_not_on_the_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedAudio, match="its audio codec adpcm_ima_wav is not supported"):
        measure(write(tmp_path / "sound.wav", "wav", "adpcm_ima_wav"))


@pytest.mark.parametrize(("rate", "layout"), [(RATE, "stereo"), (2 * RATE, "mono")])
def test_audio_that_changes_its_form_within_the_file_is_refused(tmp_path: Path, rate: int, layout: str) -> None:
    first = write(tmp_path / "first", "adts").read_bytes()
    other = write(tmp_path / "other", "adts", rate=rate, layout=layout)
    (tmp_path / "both").write_bytes(first + other.read_bytes())
    with pytest.raises(
        UnsupportedAudio, match=rf"its audio changes at .* mono at {RATE} Hz to .* {layout} at {rate} Hz"
    ):
        measure(tmp_path / "both")
    assert measure(other).info.sample_rate == rate


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "silent.mkv"), "w") as file:
        shown = file.add_stream("ffv1", rate=10)
        shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
        file.mux([*shown.encode(black), *shown.encode(None)])
    with pytest.raises(UnsupportedAudio, match="has no audio track"):
        measure(tmp_path / "silent.mkv")


@pytest.mark.parametrize(
    ("container", "codec", "exact"),
    [
        ("ipod", "aac", True),
        ("ipod", "alac", True),
        ("webm", "libopus", False),
        ("adts", "aac", True),
        ("flac", "flac", True),
    ],
)
def test_a_range_of_a_long_file_is_that_of_the_whole_file(
    tmp_path: Path, container: str, codec: str, exact: bool
) -> None:
    """After a seek, decoding begins a little before the range; Opus then converges to the same samples."""
    rate = 48000
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 40 * rate)).astype(np.float32)
    source = measure(write_encoded(tmp_path / "long", noise, rate, container, codec))
    whole = samples(source)
    assert len(source.index) >= 8
    for first in (0, 3 * rate + 1, 17 * rate + 331, 39 * rate):
        part = samples(source, first, 2000)
        np.testing.assert_allclose(part, whole[:, first : first + 2000], atol=0 if exact else 1e-4)


def test_reading_in_blocks_is_reading_at_once(tmp_path: Path) -> None:
    source = measure(write(tmp_path / "sound", "ipod"))
    with source.open() as read:
        blocks = [read(size) for size in (1, 1000, 3000, 1 << 20, 10)]
    assert blocks[-1].shape == (1, 0)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), samples(source))


@pytest.mark.parametrize(
    ("codec", "subtype", "step"),
    [("pcm_s16le", "PCM_16", 2**-15), ("pcm_s24le", "PCM_24", 2**-23), ("pcm_f32le", "FLOAT", 0)],
)
def test_uncompressed_samples_are_exact(tmp_path: Path, codec: str, subtype: str, step: float) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 5000)).astype(np.float32)
    source = measure(write_encoded(tmp_path / "a.mov", noise, RATE, "mov", codec))
    assert (source.info.frames, source.info.subtype) == (5000, subtype)
    np.testing.assert_allclose(samples(source), noise, atol=step, rtol=0)


def test_padding_that_the_container_declares_is_left_out(tmp_path: Path) -> None:
    tone = np.zeros((1, 44100), np.float32)
    assert measure(write_encoded(tmp_path / "a.m4a", tone, 44100, "ipod", "aac")).info.frames % 1024 != 0


def test_an_incomplete_mp4_is_read_up_to_its_end_or_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 4 * RATE)).astype(np.float32)
    whole = write_encoded(tmp_path / "a.m4a", noise, RATE, "ipod", "aac", options={"movflags": "faststart"})
    cut = tmp_path / "cut.m4a"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    try:
        info = measure(cut).info
    except DamagedAudio:
        return
    assert info.note == "truncated"
    assert 1.5 * RATE < info.frames < 3 * RATE
