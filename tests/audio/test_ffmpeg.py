"""Decoding with FFmpeg: what is decoded, and what is never touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.ffmpeg import Undecodable, decode

av = pytest.importorskip("av", reason="the extra 'download' is not installed")

RATE = 16000


def write(
    path: Path, container: str, codec: str = "aac", pictures: str | None = None, rate: int = RATE, layout: str = "mono"
) -> Path:
    """Write a tone of RATE / 2 samples; with ``pictures``, a codec, next to a second track of three frames."""
    tone = 0.1 * np.sin(np.arange(RATE // 2) / 5)
    with av.open(str(path), "w", format=container) as file:
        track = file.add_stream(codec, rate=rate, layout=layout)
        if pictures:
            shown = file.add_stream(pictures, rate=10)
            shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
            black = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
            for packet in [*shown.encode(black), *shown.encode(None)]:
                file.mux(packet)
        frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=track.codec_context.format.name, layout=layout)
        for block in resampler.resample(frame):
            for packet in [*track.encode(block), *track.encode(None)]:
                file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("container", "codec"),
    [("ipod", "aac"), ("mp4", "aac"), ("mpegts", "aac"), ("webm", "libopus"), ("mov", "pcm_s16le"), ("mpegts", "mp2")],
)
def test_the_common_containers_and_codecs_are_decoded(tmp_path: Path, container: str, codec: str) -> None:
    audio, rate = decode(write(tmp_path / "sound", container, codec))
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
            audio, _ = decode(path)
    finally:
        av.logging.set_level(before)
    assert audio.shape[1] >= RATE // 2
    assert any("ffv1" in line and "not on whitelist" in line for _, _, line in said)


def test_a_playlist_reads_no_other_file(tmp_path: Path) -> None:
    write(tmp_path / "other.m4a", "ipod")
    (tmp_path / "list.m4a").write_text("ffconcat version 1.0\nfile other.m4a\n")
    with pytest.raises(Undecodable, match=r"list\.m4a: not decodable"):
        decode(tmp_path / "list.m4a")


def test_a_file_name_is_not_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "concat:a", "ipod")
    monkeypatch.chdir(tmp_path)
    assert decode(Path("concat:a"))[1] == RATE


def test_a_codec_that_is_not_on_the_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Undecodable, match="its audio codec adpcm_ima_wav is not supported"):
        decode(write(tmp_path / "sound.wav", "wav", "adpcm_ima_wav"))


@pytest.mark.parametrize(("rate", "layout"), [(RATE, "stereo"), (2 * RATE, "mono")])
def test_audio_that_changes_its_form_within_the_file_is_refused(tmp_path: Path, rate: int, layout: str) -> None:
    first = write(tmp_path / "first", "adts").read_bytes()
    other = write(tmp_path / "other", "adts", rate=rate, layout=layout)
    (tmp_path / "both").write_bytes(first + other.read_bytes())
    with pytest.raises(Undecodable, match=rf"its audio changes at .* mono at {RATE} Hz to .* {layout} at {rate} Hz"):
        decode(tmp_path / "both")
    assert decode(tmp_path / "both", end=0.3)[1] == RATE  # the requested range ends before the change
    assert decode(other)[1] == rate
