"""Training samples: a pure function of (seed, number), drawn from readable files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.batches import EpochBatches, TrainingLoader
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixer import mix
from dplass_cli.data.ontology import kinds_of, kinds_of_clips
from dplass_cli.data.samples import Batch, SourceClip, TrainingSamples, collate
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.data_settings import DataSettings

RATE = 8000
SETTINGS = DataSettings(sampling_rate=RATE, segment_seconds=0.5)


@pytest.fixture
def sources(tmp_path: Path) -> list[SourceClip]:
    """Six clips of three groups; a clip is recognised by its level."""
    found = []
    for number in range(6):
        path = tmp_path / f"{number}.wav"
        tone = 0.1 * (number + 1) * np.sign(np.sin(np.arange(2 * RATE) * (0.05 + 0.03 * number)))
        write_audio(path, tone[None].astype(np.float32), RATE)
        found.append(SourceClip(Row(path, "x", id=str(number)), kinds_of([f"group{number // 2}"]), (number,)))
    return found


def samples_of(
    targets: list[SourceClip], interference: list[SourceClip], settings: DataSettings = SETTINGS, seed: int = 0
) -> TrainingSamples:
    """Samples whose query embeddings are recognised by their row of the table."""
    return TrainingSamples(targets, {0: interference}, torch.eye(10), settings, seed)


def queries(batch: Batch) -> list[int]:
    """The rows of the table that a batch is conditioned on."""
    return [int(row) for row in batch.condition.argmax(dim=-1)]


def levels(audio: torch.Tensor) -> list[int]:
    return [round(float(level) * 10) - 1 for level in audio.abs().amax(-1).reshape(-1)]


def test_a_sample_depends_on_seed_and_number_alone(sources: list[SourceClip]) -> None:
    samples = samples_of(sources, sources, seed=3)
    forward = [samples[number] for number in range(12)]
    backward = [samples[number] for number in reversed(range(12))][::-1]
    batches = EpochBatches(6, 2)
    loader = TrainingLoader(samples, batches, workers=2)
    loaded = []
    for epoch in (0, 1):
        batches.position = lambda epoch=epoch: (epoch, 0)
        loaded += list(loader)
    assert torch.equal(collate(loaded).target, collate(forward).target)
    assert loader.waited > 0
    for one, other in zip(forward, backward, strict=True):
        for name in Batch._fields[:-1]:
            assert torch.equal(getattr(one, name), getattr(other, name))
    other_seed = collate([samples_of(sources, sources, seed=4)[number] for number in range(6)])
    assert not torch.equal(other_seed.target, collate(forward[:6]).target)
    assert not torch.equal(collate(forward[:6]).target, collate(forward[6:]).target)


def test_an_epoch_visits_every_target_once(sources: list[SourceClip]) -> None:
    samples = samples_of(sources, sources)
    for epoch in range(3):
        batch = collate([samples[epoch * 6 + index] for index in range(6)])
        assert sorted(queries(batch)) == list(range(6))
        assert levels(batch.target) == queries(batch)


def test_interference_is_of_another_group(sources: list[SourceClip]) -> None:
    samples = samples_of(sources, sources)
    seen = set()
    for number in range(60):
        sample = samples[number]
        (target,), (interferer,) = levels(sample.target), levels(sample.interferers)
        assert target // 2 != interferer // 2
        seen.add(interferer)
    assert seen == set(range(6))


def test_a_clip_never_interferes_with_itself(sources: list[SourceClip]) -> None:
    twins = [
        SourceClip(sources[0].row, kinds_of(["a"]), (0,)),
        SourceClip(sources[0].row, kinds_of(["b"]), (0,)),
        SourceClip(sources[2].row, kinds_of(["c"]), (0,)),
    ]
    samples = samples_of(twins[:1], twins)
    assert {levels(samples[number].interferers)[0] for number in range(20)} == {2}


def test_gains_and_number_of_sources(sources: list[SourceClip]) -> None:
    settings = DataSettings(sampling_rate=RATE, segment_seconds=0.5, max_mix_num=4)
    samples = samples_of(sources, sources, settings)
    batch = collate([samples[number] for number in range(60)])
    assert batch.interferers.shape == (60, 3, 4000)
    counts = (batch.interferers.abs().amax(-1) > 0).sum(-1)
    assert set(counts.tolist()) == {1, 2, 3}
    gains = torch.cat((batch.gains_db.reshape(-1), batch.noise_gain_db))
    assert torch.equal(gains, gains.round())
    assert (gains.min(), gains.max()) == (-10, 10)


def test_unreadable_files_are_reported_and_replaced_by_the_next_target(
    sources: list[SourceClip], tmp_path: Path
) -> None:
    bad = SourceClip(Row(tmp_path / "gone.wav", "x", id="gone"), kinds_of({"group9"}), (9,))
    samples = samples_of([bad, *sources], [*sources, bad], seed=1)
    batch = collate([samples[number] for number in range(7)])
    assert 9 not in queries(batch)
    assert levels(batch.target) == queries(batch)
    assert {path for path, _ in batch.unreadable} == {str(tmp_path / "gone.wav")}
    with pytest.raises(RunError, match=r"none of 1 training files can be read.*gone.wav"):
        samples_of([bad], sources, seed=1)[0]


def test_crops_avoid_silence_and_stay_in_the_row(tmp_path: Path) -> None:
    clip = np.zeros((1, 10 * RATE), dtype=np.float32)
    clip[0, 6 * RATE : 7 * RATE] = 0.5
    clip[0, :RATE] = 1.0  # outside the row
    write_audio(tmp_path / "a.wav", clip, RATE)
    row = Row(tmp_path / "a.wav", "x", start=2.0, end=10.0)
    other = SourceClip(Row(tmp_path / "a.wav", "y", id="other"), kinds_of(["y"]))
    samples = samples_of([SourceClip(row, kinds_of(["x"]), (0,))], [other])
    targets = collate([samples[number] for number in range(80)]).target
    assert targets.abs().max() == 0.5
    loud = float((targets.abs().amax(-1) > 0).float().mean())
    assert loud > 0.4  # a uniform crop would hit the sound with 1.5 s / 7.5 s = 0.2


def test_short_clips_are_padded_at_the_end(tmp_path: Path, sources: list[SourceClip]) -> None:
    write_audio(tmp_path / "s.wav", np.full((1, 1000), 0.7, dtype=np.float32), RATE)
    short = SourceClip(Row(tmp_path / "s.wav", "x", id="s"), kinds_of({"short"}), (0,))
    target = samples_of([short], sources)[0].target[0].numpy()
    np.testing.assert_array_equal(target[:1000], read_mono(tmp_path / "s.wav", RATE))
    assert not target[1000:].any()


def test_interference_is_not_related_to_the_target(sources: list[SourceClip]) -> None:
    rows = [Row(source.row.wav, caption, id=source.row.id) for source in sources[:2] for caption in ("Dog", "a walk")]
    rows += [Row(sources[2].row.wav, "Bark", id="2"), Row(sources[3].row.wav, "Rain", id="3")]
    kinds = kinds_of_clips(rows)
    found = [SourceClip(row, kinds[row.id, row.wav], (0,)) for row in rows]
    samples = samples_of(found[:1], found)
    assert {levels(samples[number].interferers)[0] for number in range(20)} == {3}
    with pytest.raises(InputError, match="no interference for 'Dog': add recordings of other sounds to mix it with"):
        samples_of(found[:1], found[:-1])


def test_sources_of_one_recording_are_not_mixed(sources: list[SourceClip]) -> None:
    vocals, drums = (
        SourceClip(Row(sources[number].row.wav, name, id="song"), kinds_of([name]), (0,))
        for number, name in enumerate(("vocals", "drums"))
    )
    with pytest.raises(InputError, match="no interference for 'vocals'"):
        samples_of([vocals], [vocals, drums])


def test_negatives_do_not_contain_their_target(sources: list[SourceClip]) -> None:
    samples = samples_of(sources, sources, replace(SETTINGS, negative_share=0.3))
    batch = collate([samples[number] for number in range(300)])
    assert 0.2 < float((~batch.present).float().mean()) < 0.4
    mixture, target = mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db, batch.present)
    absent = ~batch.present
    assert not target[absent].any()
    assert (target[batch.present].abs().amax(-1) > 0).all()
    assert (mixture[absent].abs().amax(-1) > 0).all()
    whole, _ = mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db)
    quiet = absent & (whole.abs().amax(-1) < 0.89)
    torch.testing.assert_close(mixture[quiet], (whole - batch.target)[quiet])


def test_queries_are_captions_or_the_audio_of_the_target(sources: list[SourceClip]) -> None:
    embedded = [replace(source, text_rows=(0, 1), audio_row=2 + number) for number, source in enumerate(sources)]
    samples = samples_of(embedded, embedded, replace(SETTINGS, use_text_ratio=0.5))
    asked = [queries(samples[number])[0] for number in range(300)]
    target = [levels(samples[number].target)[0] for number in range(300)]
    texts = [query < 2 for query in asked]
    assert 0.4 < np.mean(texts) < 0.6
    assert {query for query, text in zip(asked, texts, strict=True) if text} == {0, 1}
    assert all(query == 2 + level for query, level, text in zip(asked, target, texts, strict=True) if not text)
    without_audio = samples_of(sources, sources, replace(SETTINGS, use_text_ratio=0.0))
    assert queries(without_audio[0]) == levels(without_audio[0].target)  # the caption instead


def test_a_sample_is_described_by_files_and_positions(sources: list[SourceClip]) -> None:
    samples = samples_of(sources, sources)
    for number in (0, 7):
        described, sample = samples.describe(number), samples[number]
        for place, audio in (
            (described["target"], sample.target[0]),
            (described["interferers"][0], sample.interferers[0, 0]),
        ):
            segment = read_mono(place["wav"], RATE, place["start"], place["start"] + SETTINGS.segment_seconds)
            np.testing.assert_allclose(segment[:3990], audio[:3990], atol=0.5 / 2**15)


def test_a_target_without_interference_is_refused(sources: list[SourceClip]) -> None:
    with pytest.raises(InputError, match="no interference for 'x'"):
        samples_of(sources[:2], sources[:2])


def described_in(sources: list[SourceClip], rows: dict[int, tuple[int, ...]]) -> list[SourceClip]:
    """The sources with captions: {number of a clip: rows of the table}. The rows 6 and 7 are near each other."""
    return [replace(source, captions=rows.get(number, (number,))) for number, source in enumerate(sources)]


def near_samples(targets: list[SourceClip], interference: list[SourceClip], threshold: float | None) -> TrainingSamples:
    table = torch.eye(10)
    table[7, 6], table[7, 7] = 0.8, 0.6
    return TrainingSamples(targets, {0: interference}, table, replace(SETTINGS, semantic_filter=threshold), 0)


def mixed_with(samples: TrainingSamples, count: int = 40) -> set[int]:
    """The clips that a target is mixed with."""
    return {levels(samples[number].interferers)[0] for number in range(count)}


def test_a_clip_with_a_near_caption_does_not_interfere(sources: list[SourceClip]) -> None:
    clips = described_in(sources, {2: (2, 7)})
    target = [replace(clips[0], text_rows=(6,))]
    assert mixed_with(near_samples(target, clips, 0.75)) == {3, 4, 5}
    assert mixed_with(near_samples(target, clips, 0.85)) == {2, 3, 4, 5}
    assert mixed_with(near_samples(target, clips, None)) == {2, 3, 4, 5}


def test_rejected_pairs_are_counted(sources: list[SourceClip]) -> None:
    clips = described_in(sources, {2: (7,)})
    samples = near_samples([replace(clips[0], text_rows=(6,))], clips, 0.75)
    drawn, near, accepted = collate([samples[number] for number in range(200)]).pairs.sum(dim=0).tolist()
    assert drawn == 200 + near
    assert 0.15 < near / drawn < 0.35  # one of the four clips of other groups
    assert accepted == 0


def test_where_all_captions_are_near_the_filter_gives_way_and_says_so(sources: list[SourceClip]) -> None:
    clips = described_in(sources, dict.fromkeys(range(6), (7,)))
    samples = near_samples([replace(clips[0], text_rows=(6,))], clips, 0.75)
    assert mixed_with(samples, 10) <= {2, 3, 4, 5}
    assert samples[0].pairs[0, 2] == 1


def test_a_filter_that_rejects_nothing_changes_no_sample(sources: list[SourceClip]) -> None:
    clips = described_in(sources, {})
    with_filter, without = (near_samples(clips, clips, threshold) for threshold in (0.75, None))
    for number in range(20):
        for name in ("target", "interferers", "gains_db", "condition"):
            assert torch.equal(getattr(with_filter[number], name), getattr(without[number], name))


def test_samples_with_a_filter_depend_on_seed_and_number_alone(sources: list[SourceClip]) -> None:
    clips = described_in(sources, {2: (7,)})
    targets = [replace(clip, text_rows=(6,)) for clip in clips]
    first, again = (near_samples(targets, clips, 0.75) for _ in range(2))
    forward = [first[number].interferers for number in range(12)]
    backward = [again[number].interferers for number in reversed(range(12))][::-1]
    assert all(map(torch.equal, forward, backward))


def test_targets_are_drawn_in_proportion_to_their_weights(sources: list[SourceClip]) -> None:
    weights = (1.0, 0.0, 0.5, 0.5, 0.5, 0.5)
    weighted = [
        replace(source, row=replace(source.row, weight=weight)) for source, weight in zip(sources, weights, strict=True)
    ]
    samples = samples_of(weighted, sources)
    drawn = [queries(samples[number])[0] for number in range(300)]
    assert drawn == [queries(samples[number])[0] for number in range(300)]
    shares = np.bincount(drawn, minlength=6) / 300
    assert shares[1] == 0
    np.testing.assert_allclose(shares[[0, 2]], [1 / 3, 1 / 6], atol=0.08)


def test_equal_weights_change_no_sample(sources: list[SourceClip]) -> None:
    halves = [replace(source, row=replace(source.row, weight=0.5)) for source in sources]
    for number in range(12):
        assert torch.equal(samples_of(halves, halves)[number].target, samples_of(sources, sources)[number].target)


def test_samples_of_a_stereo_network_keep_the_channels(sources: list[SourceClip], tmp_path: Path) -> None:
    left = np.random.default_rng(0).uniform(0.1, 0.5, RATE // 2).astype(np.float32)
    write_audio(tmp_path / "stereo.wav", np.stack([left, -0.5 * left]), RATE, "FLOAT")
    stereo = SourceClip(Row(tmp_path / "stereo.wav", "x", id="stereo"), kinds_of(["stereo"]), (0,))
    sample = TrainingSamples([stereo], {0: sources[:1]}, torch.eye(10), SETTINGS, 0, channels=2)[0]
    np.testing.assert_array_equal(sample.target[0], np.stack([left, -0.5 * left]))
    assert sample.interferers.shape == (1, 1, 2, RATE // 2)
    mono = sample.interferers[0, 0]
    assert mono.any()
    assert torch.equal(mono[0], mono[1])
    assert collate([sample, sample]).interferers.shape == (2, 1, 2, RATE // 2)
