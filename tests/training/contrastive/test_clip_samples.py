"""Samples of encoder training: which clips and captions, and which of them belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_captions import RATE, TOWERS, write_clips
from torch import Tensor

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.encoders.clips import Clip
from dplass_cli.encoders.tiny import AudioTower
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.training.contrastive.clip_samples import (
    ClipSamples,
    FrozenEmbeddings,
    MelCrops,
    captioned_clips,
    collate_clips,
)

DATA = DataSettings(sampling_rate=RATE, segment_seconds=0.3)
ROWS = [
    Row(Path("a.wav"), "a dog"),
    Row(Path("a.wav"), "barking"),
    Row(Path("a.wav"), "an animal"),
    Row(Path("b.wav"), "an animal"),
    Row(Path("c.wav"), "rain"),
]


class Numbers:
    """The input of a clip: a random number; some clips are unreadable."""

    def __init__(self, *unreadable: str) -> None:
        self.unreadable = unreadable

    def __call__(self, clip: Clip, others: Sequence[Clip], rng: np.random.Generator) -> Tensor:
        if clip.wav.name in self.unreadable:
            raise InputError(f"{clip.wav}: the file is empty")
        return torch.tensor([rng.random()])


def samples(*unreadable: str, captions: int = 1) -> ClipSamples:
    return ClipSamples(captioned_clips(ROWS), Numbers(*unreadable), captions, DATA, seed=1)


def test_rows_of_a_clip_are_its_captions() -> None:
    clips = captioned_clips([*ROWS, ROWS[0]])
    assert clips.captions == ("a dog", "barking", "an animal", "rain")
    assert list(clips.of.values()) == [(0, 1, 2), (2,), (3,)]


def test_a_sample_is_a_function_of_seed_and_number() -> None:
    made, again = samples(captions=2), samples(captions=2)
    again[5]
    assert [made[number] for number in (4, 2)] == [again[number] for number in (4, 2)]
    assert made[1].audio != made[4].audio


def test_every_epoch_has_every_clip_once() -> None:
    made = samples()
    for epoch in range(3):
        assert {made[3 * epoch + index].own for index in range(3)} == {
            frozenset({0, 1, 2}),
            frozenset({2}),
            frozenset({3}),
        }


def test_clips_are_drawn_in_proportion_to_their_weights() -> None:
    weights = {"a.wav": 3.0, "b.wav": 0.0, "c.wav": 1.0}
    rows = [replace(row, weight=weights[row.wav.name] if row.caption != "barking" else 0.0) for row in ROWS]
    made = ClipSamples(captioned_clips(rows), Numbers(), 1, DATA, seed=1)
    drawn = Counter(made[number].own for number in range(300))
    assert set(drawn) == {frozenset({0, 1, 2}), frozenset({3})}
    assert drawn[frozenset({0, 1, 2})] == pytest.approx(225, abs=30)
    assert made.describe(0)["wav"] in ("a.wav", "c.wav")


def test_as_many_captions_are_drawn_as_there_are() -> None:
    drawn = {sample.own: sample.drawn for sample in map(samples(captions=2).__getitem__, range(3))}
    assert sorted(map(len, drawn.values())) == [1, 1, 2]
    assert all(own.issuperset(captions) for own, captions in drawn.items())


def test_a_batch_has_each_caption_once_and_knows_all_clips_it_describes() -> None:
    made = samples(captions=3)
    batch = collate_clips(sorted(map(made.__getitem__, range(3)), key=lambda sample: -len(sample.own)))
    assert sorted(batch.captions) == [0, 1, 2, 3]
    shared = batch.captions.index(2)
    assert batch.positive[:, shared].sum() == 2
    assert batch.positive[0].sum() == 3
    assert batch.audio.shape == (3, 1)


def test_an_unreadable_clip_is_reported_and_replaced() -> None:
    taken = list(map(samples("a.wav").__getitem__, range(3)))
    assert [sample.unreadable for sample in taken].count((("a.wav", "a.wav: the file is empty"),)) == 1
    assert frozenset({0, 1, 2}) not in {sample.own for sample in taken}


def test_nothing_readable_is_an_error() -> None:
    with pytest.raises(RunError, match="none of the 3 clips can be read"):
        samples("a.wav", "b.wav", "c.wav")[0]


def test_a_clip_without_a_frozen_embedding_is_unreadable() -> None:
    clips = list(captioned_clips(ROWS).of)
    inputs = FrozenEmbeddings({clips[0]: np.ones(4, np.float32)}, {clips[1]: "b.wav: too short"})
    assert inputs(clips[0], clips, np.random.default_rng(0)).tolist() == [1.0] * 4
    with pytest.raises(InputError, match=r"b\.wav: too short"):
        inputs(clips[1], clips, np.random.default_rng(0))


def test_plain_crops_are_what_the_tower_computes_of_the_audio(tmp_path: Path) -> None:
    clip = next(iter(captioned_clips(read_manifest(write_clips(tmp_path))).of))
    tower = AudioTower(TOWERS).eval()
    made = MelCrops(TOWERS, DATA, augment=False)(clip, [clip], np.random.default_rng(0))
    assert made.shape == (16, 30)
    with torch.no_grad():
        assert torch.isfinite(tower.embed(made[None, None])).all()


@pytest.mark.parametrize(("short", "kept"), [(10.0, True), (0.1, False)])
def test_only_short_clips_are_kept(short: float, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.training.contrastive.clip_samples._SHORT_SECONDS", short)
    clip = next(iter(captioned_clips(read_manifest(write_clips(tmp_path))).of))
    inputs = MelCrops(TOWERS, DATA, augment=False)
    made = inputs(clip, [clip], np.random.default_rng(0))
    clip.wav.unlink()
    if kept:
        assert torch.equal(inputs(clip, [clip], np.random.default_rng(0)), made)
    else:
        with pytest.raises(InputError, match=clip.wav.name):
            inputs(clip, [clip], np.random.default_rng(0))


def test_a_full_store_of_spectrograms_changes_no_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = list(captioned_clips(read_manifest(write_clips(tmp_path))).of)
    roomy = MelCrops(TOWERS, DATA, augment=True)
    monkeypatch.setattr("dplass_cli.training.contrastive.clip_samples.device_memory", lambda device: 1)
    full = MelCrops(TOWERS, DATA, augment=True)
    for seed in (1, 2, 1):
        one, two = (inputs(clips[seed], clips, np.random.default_rng(seed)) for inputs in (roomy, full))
        assert torch.equal(one, two)


def test_augmented_crops_depend_on_the_generator_alone(tmp_path: Path) -> None:
    clips = list(captioned_clips(read_manifest(write_clips(tmp_path))).of)
    inputs = MelCrops(TOWERS, DATA, augment=True)
    one, two, other = (inputs(clips[0], clips, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
