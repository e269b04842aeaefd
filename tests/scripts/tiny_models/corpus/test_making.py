"""The rules by which clips are made."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tiny_models.corpus import making

RATE = 8000


def tone(seconds: float, level: float = 0.5, rate: int = RATE) -> making.Audio:
    """A tone of 250 Hz with an exact mean of 0."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 250 * time)).astype(np.float32)


def silence(seconds: float) -> making.Audio:
    return np.zeros(round(seconds * RATE), np.float32)


def wav(audio: npt.NDArray[np.float32], rate: int) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, audio, rate, format="WAV", subtype="FLOAT")
    return stream.getvalue()


def test_channels_are_averaged() -> None:
    channels = np.stack([tone(1.0), np.zeros(RATE, np.float32)], axis=1)
    np.testing.assert_allclose(making.mix_down(channels), tone(1.0) / 2)


def test_the_louder_channel_is_kept_where_channels_cancel() -> None:
    channels = np.stack([tone(1.0, 0.5), -tone(1.0, 0.45)], axis=1)
    np.testing.assert_array_equal(making.mix_down(channels), tone(1.0, 0.5))


def test_high_sample_rates_are_reduced() -> None:
    audio, rate = making.decode(wav(tone(1.0, rate=96000), 96000))
    assert (audio.size, rate) == (44100, 44100)


def test_low_sample_rates_are_kept() -> None:
    assert making.decode(wav(tone(1.0), RATE))[1] == RATE


def test_an_mp3_whose_tag_is_damaged_is_decoded() -> None:
    stream = io.BytesIO()
    soundfile.write(stream, tone(1.0, rate=44100), 44100, format="MP3")
    damaged = b"ID3\x03" + bytes(40) + stream.getvalue()
    assert making.decode(damaged)[0].size == making.decode(stream.getvalue())[0].size


def test_what_is_no_audio_is_rejected() -> None:
    with pytest.raises(soundfile.LibsndfileError):
        making.decode(b"no audio")


def test_silence_at_both_ends_is_cut_but_for_a_margin() -> None:
    audio = np.concatenate([silence(1.0), tone(0.5), silence(1.0)])
    assert making.trim(audio, RATE).size == pytest.approx((0.5 + 2 * making.MARGIN) * RATE, abs=4)


def test_silence_inside_is_kept() -> None:
    audio = np.concatenate([tone(0.5), silence(1.0), tone(0.5)])
    assert making.trim(audio, RATE).size == audio.size


def test_what_is_60_db_below_the_peak_counts_as_silence() -> None:
    loud, quiet = tone(0.5), tone(0.5, level=0.5 * 10 ** (-63 / 20))
    assert making.trim(np.concatenate([loud, quiet]), RATE).size < 0.51 * RATE
    audible = tone(0.5, level=0.5 * 10 ** (-57 / 20))
    assert making.trim(np.concatenate([loud, audible]), RATE).size > 0.99 * RATE


def test_the_mean_is_removed() -> None:
    assert making.trim(tone(1.0) + np.float32(0.3), RATE).mean() == pytest.approx(0, abs=1e-6)


def test_silent_recordings_are_trimmed_to_nothing() -> None:
    assert making.trim(silence(1.0), RATE).size == 0


@pytest.mark.parametrize(("level", "peak"), [(0.5, 0.9), (1.5, 0.9), (0.2, 0.9), (0.03, 0.3)])
def test_the_peak_becomes_0_9_but_the_gain_is_at_most_20_db(level: float, peak: float) -> None:
    assert np.abs(making.set_level(tone(1.0, level))).max() == pytest.approx(peak, rel=1e-3)


def test_the_loudest_part_begins_on_the_grid() -> None:
    audio = np.concatenate([tone(3.27, 0.1), tone(2.0, 0.8), tone(3.0, 0.1)])
    assert making.loudest_start(audio, RATE, 2 * RATE) == round(3.3 * RATE)


@pytest.mark.parametrize(
    ("seconds", "lengths"), [(7.9, [7.9]), (13.9, [8.0]), (14.5, [6.0, 6.0]), (40.5, [6.0, 6.0, 6.0])]
)
def test_longer_recordings_give_more_parts(seconds: float, lengths: list[float]) -> None:
    assert [part.size / RATE for part in making.cut_parts(tone(seconds), RATE)] == lengths


def test_each_part_is_the_loudest_of_its_stretch() -> None:
    first, second = (np.concatenate([tone(2.0, 0.1), tone(6.0, level), tone(2.0, 0.1)]) for level in (0.5, 0.3))
    parts = making.cut_parts(np.concatenate([first, second]), RATE)
    assert [np.abs(part).max() for part in parts] == pytest.approx([0.5, 0.3], rel=1e-3)
    assert [np.abs(part).min() for part in parts] == pytest.approx([0, 0], abs=1e-3)
    assert all(np.square(part).mean() > 0.9 * np.abs(part).max() ** 2 / 2 for part in parts)


def test_music_is_cut_at_fixed_shares_of_the_track() -> None:
    track = np.arange(100 * RATE, dtype=np.float32)
    excerpts = making.cut_music(track, RATE)
    assert [excerpt[0] / RATE for excerpt in excerpts] == [20, 45, 70]
    assert {excerpt.size for excerpt in excerpts} == {7 * RATE}


def test_takes_are_joined_with_gaps() -> None:
    joined = making.join([tone(0.1), tone(0.2)], [0.5], RATE)
    np.testing.assert_array_equal(joined, np.concatenate([tone(0.1), silence(0.5), tone(0.2)]))


def test_sequences_end_after_eight_seconds() -> None:
    assert making.join([tone(5.0), tone(5.0)], [0.5], RATE).size == 8 * RATE


def test_a_short_take_is_repeated_until_the_sequence_is_long_enough() -> None:
    sequence = making.join_repeats([tone(0.1)], RATE, np.random.default_rng(1))
    assert making.SEQUENCE <= sequence.size / RATE <= making.SEQUENCE + making.GAPS[1] + 0.1


def test_a_sequence_contains_every_take() -> None:
    takes = [tone(1.0, level) for level in (0.1, 0.4, 0.2)]
    sequence = making.join_repeats(takes, RATE, np.random.default_rng(1))
    assert np.count_nonzero(sequence) > 2.9 * np.count_nonzero(takes[0])


def test_only_parts_that_every_choice_of_gaps_leaves_are_certain() -> None:
    parts = making.certain_parts([tone(2.5), tone(2.5), tone(2.5)], RATE)
    assert [part.size / RATE for part in parts] == pytest.approx([2.5, 2.5, 8.0 - 5.0 - 2 * making.GAPS[1]])
