"""Training samples: a pure function of (seed, number); nothing unreadable is replaced by anything made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dplass_cli.audio.files import read_mono, write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.samples import EpochNumbers, Source, TrainingSamples, collate
from dplass_cli.data.settings import DataSettings
from dplass_cli.errors import InputError, RunError

RATE = 8000
SETTINGS = DataSettings(sampling_rate=RATE, segment_seconds=0.5)


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """Six clips of three groups; the level of a clip tells which it is."""
    found = []
    for number in range(6):
        path = tmp_path / f"{number}.wav"
        tone = 0.1 * (number + 1) * np.sign(np.sin(np.arange(2 * RATE) * (0.05 + 0.03 * number)))
        write_audio(path, tone[None].astype(np.float32), RATE)
        found.append(Source(Row(path, "x", id=str(number)), f"group{number // 2}", (number,)))
    return found


def levels(audio: torch.Tensor) -> list[int]:
    return [round(float(level) * 10) - 1 for level in audio.abs().amax(-1).reshape(-1)]


def test_a_sample_depends_on_seed_and_number_alone(sources: list[Source]) -> None:
    samples = TrainingSamples(sources, sources, SETTINGS, seed=3)
    forward = [samples[number] for number in range(12)]
    backward = [samples[number] for number in reversed(range(12))][::-1]
    loader = DataLoader(samples, 2, sampler=EpochNumbers(12), num_workers=2, collate_fn=collate)
    loaded = collate(list(loader))
    assert torch.equal(loaded.target, collate(forward).target)
    for one, other in zip(forward, backward, strict=True):
        for name in ("target", "interferers", "gains_db", "noise_gain_db", "query"):
            assert torch.equal(getattr(one, name), getattr(other, name))
    other_seed = collate([TrainingSamples(sources, sources, SETTINGS, seed=4)[number] for number in range(6)])
    assert not torch.equal(other_seed.target, collate(forward[:6]).target)
    assert not torch.equal(collate(forward[:6]).target, collate(forward[6:]).target)


def test_an_epoch_visits_every_target_once(sources: list[Source]) -> None:
    samples = TrainingSamples(sources, sources, SETTINGS, seed=0)
    for epoch in range(3):
        batch = collate([samples[epoch * 6 + index] for index in range(6)])
        assert sorted(batch.query.tolist()) == list(range(6))
        assert levels(batch.target) == batch.query.tolist()


def test_interference_is_of_another_group(sources: list[Source]) -> None:
    samples = TrainingSamples(sources, sources, SETTINGS, seed=0)
    seen = set()
    for number in range(60):
        sample = samples[number]
        (target,), (interferer,) = levels(sample.target), levels(sample.interferers)
        assert target // 2 != interferer // 2
        seen.add(interferer)
    assert seen == set(range(6))


def test_interference_is_never_the_same_clip_under_another_name(sources: list[Source]) -> None:
    twins = [Source(sources[0].row, "a", (0,)), Source(sources[0].row, "b", (0,)), Source(sources[2].row, "c", (0,))]
    samples = TrainingSamples(twins[:1], twins, SETTINGS, seed=0)
    assert {levels(samples[number].interferers)[0] for number in range(20)} == {2}


def test_gains_and_number_of_sources(sources: list[Source]) -> None:
    settings = DataSettings(sampling_rate=RATE, segment_seconds=0.5, max_mix_num=4)
    samples = TrainingSamples(sources, sources, settings, seed=0)
    batch = collate([samples[number] for number in range(60)])
    assert batch.interferers.shape == (60, 3, 4000)
    counts = (batch.interferers.abs().amax(-1) > 0).sum(-1)
    assert set(counts.tolist()) == {1, 2, 3}
    gains = torch.cat((batch.gains_db.reshape(-1), batch.noise_gain_db))
    assert torch.equal(gains, gains.round())
    assert (gains.min(), gains.max()) == (-10, 10)


def test_unreadable_files_are_reported_and_the_next_target_serves(sources: list[Source], tmp_path: Path) -> None:
    bad = Source(Row(tmp_path / "gone.wav", "x", id="gone"), "group9", (9,))
    samples = TrainingSamples([bad, *sources], [*sources, bad], SETTINGS, seed=1)
    batch = collate([samples[number] for number in range(7)])
    assert 9 not in batch.query.tolist()
    assert levels(batch.target) == batch.query.tolist()
    assert {path for path, _ in batch.unreadable} == {str(tmp_path / "gone.wav")}
    with pytest.raises(RunError, match=r"none of 1 training files can be read.*gone.wav"):
        TrainingSamples([bad], sources, SETTINGS, seed=1)[0]


def test_crops_avoid_silence_and_stay_in_the_row(tmp_path: Path) -> None:
    clip = np.zeros((1, 10 * RATE), dtype=np.float32)
    clip[0, 6 * RATE : 7 * RATE] = 0.5
    clip[0, :RATE] = 1.0  # outside the row
    write_audio(tmp_path / "a.wav", clip, RATE)
    row = Row(tmp_path / "a.wav", "x", start=2.0, end=10.0)
    other = Source(Row(tmp_path / "a.wav", "y", id="other"), "y", ())
    samples = TrainingSamples([Source(row, "x", (0,))], [other], SETTINGS, seed=0)
    targets = collate([samples[number] for number in range(80)]).target
    assert targets.abs().max() == 0.5
    loud = float((targets.abs().amax(-1) > 0).float().mean())
    assert loud > 0.4  # a uniform crop would hit the sound with 1.5 s / 7.5 s = 0.2


def test_short_clips_are_padded_at_the_end(tmp_path: Path, sources: list[Source]) -> None:
    write_audio(tmp_path / "s.wav", np.full((1, 1000), 0.7, dtype=np.float32), RATE)
    short = Source(Row(tmp_path / "s.wav", "x", id="s"), "short", (0,))
    target = TrainingSamples([short], sources, SETTINGS, seed=0)[0].target[0].numpy()
    np.testing.assert_array_equal(target[:1000], read_mono(tmp_path / "s.wav", RATE))
    assert not target[1000:].any()


def test_shares_of_several_processes_are_disjoint_and_complete() -> None:
    for epoch in (0, 2):
        shares = [EpochNumbers(11, rank, 3) for rank in range(3)]
        for share in shares:
            share.set_epoch(epoch)
        assert [len(list(share)) for share in shares] == [len(share) for share in shares]
        assert sorted(n for share in shares for n in share) == list(range(epoch * 11, epoch * 11 + 11))


def test_without_interference_nothing_is_trained(sources: list[Source]) -> None:
    with pytest.raises(InputError, match="no interference for 'group0'"):
        TrainingSamples(sources[:2], sources[:2], SETTINGS, seed=0)
