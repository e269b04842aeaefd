"""Settings of training data: the length of a segment, and values out of range."""

from __future__ import annotations

from typing import Any

import pytest

from dplass_cli.options.data_settings import DataSettings, LoudnessSettings


def test_a_segment_has_its_seconds_times_the_sample_rate() -> None:
    assert DataSettings(sampling_rate=8000, segment_seconds=0.25).segment_samples == 2000


def test_samples_of_a_segment_are_rounded() -> None:
    assert DataSettings(sampling_rate=44100, segment_seconds=0.01501).segment_samples == 662


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_mix_num": 1}, "max_mix_num"),
        ({"segment_seconds": 0.0}, "segment_seconds"),
        ({"max_bad_files": -1}, "max_bad_files"),
        ({"use_text_ratio": 1.5}, "use_text_ratio"),
        ({"negative_share": -0.1}, "negative_share"),
    ],
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataSettings(**wrong)


def test_gains_of_interference_need_ordered_bounds() -> None:
    with pytest.raises(ValueError, match="lower_db"):
        LoudnessSettings(5, 3)
