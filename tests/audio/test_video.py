"""Videos with another sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.video import SOUNDS, check_video, write_video
from dplass_cli.errors import InputError

CODECS = {
    ".mp4": ("libx264", "aac"),
    ".mov": ("libx264", "aac"),
    ".mkv": ("libx264", "libopus"),
    ".webm": ("libvpx-vp9", "libopus"),
}
RATE = 48000


def tone(frequency: float, seconds: float = 2.0) -> Audio:
    times = np.arange(round(RATE * seconds)) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * frequency * times)] * 2).astype(np.float32)


def make_video(path: Path, pictures: int = 50) -> Path:
    """Two seconds of pictures that change, with B-frames where the codec has them, and a tone of 400 Hz."""
    codec, sound = CODECS[path.suffix]
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(sound, rate=RATE, layout="stereo")
        if not audio.codec_context.is_open:
            audio.codec_context.open()
        resampler = av.AudioResampler(audio.codec_context.format, "stereo", RATE, audio.codec_context.frame_size)
        generator = np.random.default_rng(0)
        for number in range(pictures):
            picture = generator.integers(0, 255, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.roll(picture // 4, number, axis=1), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = av.AudioFrame.from_ndarray(tone(400.0), "fltp", "stereo")
        samples.sample_rate, samples.pts = RATE, 0
        for piece in [*resampler.resample(samples), *resampler.resample(None)]:
            container.mux(audio.encode(piece))
        container.mux(audio.encode(None))
    return path


def packets(path: Path) -> list[tuple[bytes, float]]:
    """The pictures as they are stored, and when each is shown."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(bytes(each), float(each.pts * each.time_base)) for each in container.demux(stream) if each.size]


def sound(path: Path) -> tuple[Audio, int]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp")
        blocks = [piece.to_ndarray() for frame in container.decode(stream) for piece in resampler.resample(frame)]
        return np.concatenate(blocks, axis=1), stream.rate


@pytest.mark.parametrize("suffix", CODECS)
def test_pictures_are_copied_bit_by_bit_and_the_sound_is_replaced(tmp_path: Path, suffix: str) -> None:
    source, output = make_video(tmp_path / f"a{suffix}"), tmp_path / f"b{suffix}"
    new = tone(1000.0)
    write_video(source, output, np.array_split(new, 7, axis=1), RATE, 2)
    assert packets(output) == packets(source)
    assert len(packets(output)) == 50
    with av.open(str(output)) as container:
        shown = [picture.pts for picture in container.decode(video=0)]
        assert shown == sorted(shown)
        assert len(shown) == 50
    found, rate = sound(output)
    assert abs(found.shape[1] / rate - 2.0) < 0.03
    middle = found[0, rate // 2 : rate * 3 // 2]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(1000, abs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, output.name])


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    assert set(SOUNDS) >= set(CODECS)
    with pytest.raises(InputError, match=r"--video: a\.avi is not a video that is written; use \.mp4"):
        check_video(Path("a.avi"), 2)
    with av.open(str(tmp_path / "a.mp4"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"a\.mp4 has no pictures; leave out --video"):
        check_video(tmp_path / "a.mp4", 1)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"b\.mp4: not decodable"):
        check_video(tmp_path / "b.mp4", 1)
