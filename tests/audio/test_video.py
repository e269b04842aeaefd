"""Videos with another sound."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from videos import CODECS, RATE, make_video, packets, tone

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.video import SOUNDS, check_video, write_video
from dplass_cli.errors import InputError


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


def test_a_video_that_was_filmed_upright_stays_upright(tmp_path: Path) -> None:
    """Phones turn the pictures by a matrix in the header of the track."""
    source = make_video(tmp_path / "a.mp4")
    straight, turned = ((1, 0, 0, 0, 1, 0, 0, 0, 1 << 14), (0, 1, 0, -1, 0, 0, 48, 0, 1 << 14))
    matrices = [struct.pack(">9i", *(value << 16 for value in matrix)) for matrix in (straight, turned)]
    content = source.read_bytes()
    header = content.index(b"tkhd")
    source.write_bytes(content[:header] + content[header:].replace(*matrices, 1))
    write_video(source, tmp_path / "b.mp4", [tone(1000.0)], RATE, 2)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert next(container.decode(video=0)).rotation == -90


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
