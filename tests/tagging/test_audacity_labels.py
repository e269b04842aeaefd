"""Label files for Audacity."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.tagging.audacity_labels import write_audacity_labels
from dplass_cli.tagging.tagger import RecordingTags, Tag, TagSpan


def test_a_line_per_time_in_their_order(tmp_path: Path) -> None:
    rain = Tag("Rain", 0.9, True, (TagSpan(0.0, 2.5, 0.8), TagSpan(4.0, 5.0, 0.9)))
    dog = Tag("Bark", 0.6, True, (TagSpan(1.25, 2.5, 0.6),))
    write_audacity_labels(tmp_path / "mix.txt", RecordingTags(5.0, (rain, dog)))
    assert (tmp_path / "mix.txt").read_text().splitlines() == [
        "0.000000\t2.500000\tRain 0.80",
        "1.250000\t2.500000\tBark 0.60",
        "4.000000\t5.000000\tRain 0.90",
    ]


def test_a_recording_without_sounds_has_an_empty_file(tmp_path: Path) -> None:
    write_audacity_labels(tmp_path / "mix.txt", RecordingTags(5.0, ()))
    assert (tmp_path / "mix.txt").read_text() == ""
