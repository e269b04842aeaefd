"""The passes over a recording, with objects that stand in for the network, the encoder and the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.audio.level import UNCHANGED, Normalization
from dplass_cli.audio.reading import Audio
from dplass_cli.audio.stft import STFT
from dplass_cli.separation.core import Prepared, Request
from dplass_cli.separation.kept_estimates import KeptEstimates
from dplass_cli.separation.passes import Passes, PassProgress, resampled
from dplass_cli.separation.policies import Choice
from dplass_cli.separation.queries import Plan, Source, Target
from dplass_cli.separation.refinement import TARGET_SHARE
from dplass_cli.separation.windows import WindowedAudio, WindowLayout, audio_windows

RATE = 8000
LAYOUT = WindowLayout(core=4000, context=800)
DOG, RAIN, WIND = Source("dog"), Source("rain"), Source("wind", "excluded")


class ScalingCore:
    """Returns the mixture times a gain for each adapter in place of a separated sound."""

    shared_mask = True
    gains: Mapping[str | None, float] = {None: 0.5, "quiet": 0.25, "loud": 1.0}

    def __init__(self) -> None:
        config = SimpleNamespace(sample_rate=RATE, hop=80, grid=(1, 1))
        network = SimpleNamespace(config=config, stft=STFT(n_fft=256, hop=80))
        self.bank = SimpleNamespace(keys=["quiet", "loud"], network=network)
        self.runs = 0

    def prepare(self, mixtures: Tensor) -> Prepared:
        return Prepared(mixtures, None)  # type: ignore[arg-type]

    def separate(self, prepared: Prepared, requests: Sequence[Request]) -> Tensor:
        activations = [request.activation for request in requests]
        self.runs += len(requests)
        assert all(activation is None or isinstance(activation, str) for activation in activations)
        return torch.stack([self.gains[activation] * prepared.mixtures[0] for activation in activations])  # type: ignore[index]


class LevelEncoder:
    """Embeds a sound as an angle that grows with its level: silence lies along the second axis."""

    def embed_audio(self, waveforms: Tensor, sample_rate: int) -> Tensor:
        angles = waveforms.square().mean(dim=-1).sqrt()
        return torch.stack([angles.sin(), angles.cos()], dim=-1)


class RecordingPolicy:
    """Chooses the adapter with the largest similarity, or always the same; keeps what it was shown."""

    name = "recording"

    def __init__(self, requires: frozenset[str] = frozenset(), always: str | None = None) -> None:
        self.requires, self._always = requires, always
        self.shown: list[Choice] = []

    def choose(self, choice: Choice) -> str | None:
        self.shown.append(choice)
        return max(choice.similarities, key=choice.similarities.__getitem__) if choice.similarities else self._always


class Reader:
    """Reads windows of a recording; keeps the arguments and the first samples of each pass."""

    def __init__(self, audio: Audio, layout: WindowLayout = LAYOUT) -> None:
        self._audio, self._layout = audio, layout
        self.passes: list[tuple[bool, list[int]]] = []

    def __call__(self, last: bool) -> WindowedAudio:
        firsts: list[int] = []
        self.passes.append((last, firsts))
        for window, samples in audio_windows(self._audio, self._layout):
            firsts.append(window.first)
            yield window, samples


@pytest.fixture
def audio() -> Audio:
    """Stereo noise of three windows."""
    return np.random.default_rng(0).normal(0, 0.3, (2, 12000)).astype(np.float32)


def passes(
    reader: Reader,
    policy: RecordingPolicy | None = None,
    sample_rate: int = RATE,
    normalization: Normalization = UNCHANGED,
    core: ScalingCore | None = None,
) -> Passes:
    fakes: tuple[Any, Any, Any, Any] = (core or ScalingCore(), LevelEncoder(), policy or RecordingPolicy(), None)
    return Passes(*fakes, reader, sample_rate, normalization, KeptEstimates())


def conditions(*sources: Source) -> dict[Source, Tensor]:
    return {source: torch.tensor([1.0, 0.0]) for source in sources}


def plan_of(*sources: Source) -> Plan:
    """A plan whose targets compete with no other source."""
    return Plan(conditions(*sources), {source.name: Target(source, (source,)) for source in sources})


def joined(blocks: Any) -> tuple[Audio, Audio]:
    """The whole recording and the whole targets (Q, C, T)."""
    recordings, targets, _ = zip(*blocks, strict=True)
    return np.concatenate(recordings, axis=-1), np.concatenate(targets, axis=-1)


def test_a_policy_that_chooses_by_query_does_not_read_the_recording(audio: Audio) -> None:
    reader, policy = Reader(audio), RecordingPolicy(always="quiet")
    separation = passes(reader, policy)
    separation.choose(conditions(DOG, RAIN))
    assert reader.passes == []
    assert separation.choices == {DOG: "quiet", RAIN: "quiet"}


def test_a_policy_that_requires_outputs_is_shown_the_similarity_of_every_adapter(audio: Audio) -> None:
    policy = RecordingPolicy(frozenset({"outputs"}))
    separation = passes(Reader(audio), policy)
    separation.choose(conditions(DOG))
    (choice,) = policy.shown
    assert choice.similarities is not None
    assert set(choice.similarities) == {"quiet", "loud"}
    assert choice.similarities["loud"] > choice.similarities["quiet"]
    assert separation.choices == {DOG: "loud"}


def test_each_pass_reads_the_recording_from_its_start(audio: Audio) -> None:
    reader = Reader(audio)
    separation = passes(reader, RecordingPolicy(frozenset({"outputs"})))
    plan = plan_of(DOG)
    separation.choose(plan.conditions)
    list(separation.targets(plan))
    assert reader.passes == [(False, [0, 4000, 8000]), (True, [0, 4000, 8000])]


def test_targets_are_of_the_kept_samples_of_every_window(audio: Audio) -> None:
    separation = passes(Reader(audio), RecordingPolicy(always="quiet"))
    separation.choose(plan_of(DOG, RAIN).conditions)
    recording, targets = joined(separation.targets(plan_of(DOG, RAIN)))
    np.testing.assert_array_equal(recording, audio)
    np.testing.assert_allclose(targets, np.stack([0.25 * audio] * 2), atol=1e-7)


def test_residuals_are_added_only_for_targets_without_rivals(audio: Audio) -> None:
    plan = Plan(
        conditions(DOG, RAIN, WIND),
        {
            "dog": Target(DOG, (DOG,)),
            "rain": Target(RAIN, (RAIN, WIND)),
            "without wind": Target(None, (WIND,)),
        },
    )
    separation = passes(Reader(audio))
    separation.choose(plan.conditions)
    refined = separation.refine(plan)
    residual = Source("dog", "residual")
    assert set(refined.conditions) == {*plan.conditions, residual}
    assert refined.targets == {**plan.targets, "dog": Target(DOG, (DOG,), residual)}


def test_the_residual_is_served_by_an_adapter_of_its_own_embedding(audio: Audio) -> None:
    policy = RecordingPolicy(always="quiet")
    separation = passes(Reader(audio), policy)
    separation.choose(conditions(DOG))
    refined = separation.refine(plan_of(DOG))
    residual = Source("dog", "residual")
    assert separation.choices[residual] == "quiet"
    torch.testing.assert_close(policy.shown[-1].query, refined.conditions[residual])
    assert not torch.equal(refined.conditions[residual], refined.conditions[DOG])


def test_a_refined_target_takes_its_share_of_the_unclaimed_sound(audio: Audio) -> None:
    separation = passes(Reader(audio), RecordingPolicy(always="quiet"))
    separation.choose(conditions(DOG))
    _, targets = joined(separation.targets(separation.refine(plan_of(DOG))))
    expected = 0.25 + TARGET_SHARE * (1.0 - 0.25 - 0.25)
    np.testing.assert_allclose(targets[0], expected * audio, atol=1e-6)


def test_refinement_runs_the_network_twice_per_window(audio: Audio) -> None:
    core = ScalingCore()
    separation = passes(Reader(audio), RecordingPolicy(always="quiet"), core=core)
    separation.choose(conditions(DOG))
    plan = separation.refine(plan_of(DOG))
    assert core.runs == 3  # windows
    list(separation.targets(plan))
    assert core.runs == 6


def test_a_target_that_leaves_no_residual_is_not_refined(audio: Audio) -> None:
    reader = Reader(audio)
    separation = passes(reader, RecordingPolicy(always="loud"))
    separation.choose(conditions(DOG))
    refined = separation.refine(plan_of(DOG))
    assert refined.targets == plan_of(DOG).targets
    assert list(separation.choices) == [DOG]


def test_a_plan_without_targets_to_refine_does_not_read_the_recording(audio: Audio) -> None:
    reader = Reader(audio)
    plan = Plan(conditions(WIND), {"without wind": Target(None, (WIND,))})
    assert passes(reader).refine(plan) is plan
    assert reader.passes == []


def test_a_removal_is_the_recording_without_the_excluded_sound(audio: Audio) -> None:
    plan = Plan(conditions(WIND), {"without wind": Target(None, (WIND,))})
    separation = passes(Reader(audio), RecordingPolicy(always="quiet"))
    separation.choose(plan.conditions)
    _, targets = joined(separation.targets(plan))
    np.testing.assert_allclose(targets[0], 0.75 * audio, atol=1e-6)


def test_presence_is_measured_on_the_kept_samples(audio: Audio) -> None:
    seen: list[tuple[int, dict[str, int]]] = []

    class Meter:
        def add(self, mixture: Tensor, targets: Mapping[str, Tensor]) -> None:
            seen.append((mixture.shape[-1], {name: target.shape[-1] for name, target in targets.items()}))

    separation = passes(Reader(audio))
    separation.choose(conditions(DOG))
    meter: Any = Meter()
    list(separation.targets(plan_of(DOG), meter))
    assert seen == [(4000, {"dog": 4000})] * 3


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_presence_is_measured_on_windows_of_8_seconds_however_long_those_of_the_network_are(cores: int) -> None:
    lengths: list[int] = []

    class Meter:
        def add(self, mixture: Tensor, targets: Mapping[str, Tensor]) -> None:
            lengths.append(mixture.shape[-1])

    noise = np.random.default_rng(0).normal(0, 0.3, (1, 30 * RATE)).astype(np.float32)
    separation = passes(Reader(noise, WindowLayout(cores * 8 * RATE, RATE)))
    separation.choose(conditions(DOG))
    meter: Any = Meter()
    list(separation.targets(plan_of(DOG), meter))
    assert lengths == [8 * RATE, 8 * RATE, 8 * RATE, 6 * RATE]


@pytest.mark.parametrize("sample_rate", [4000, RATE])
def test_nothing_lies_above_the_band_at_the_rate_of_the_network_or_below(audio: Audio, sample_rate: int) -> None:
    separation = passes(Reader(audio), sample_rate=sample_rate)
    separation.choose(conditions(DOG))
    assert all(high is None for _, _, high in separation.targets(plan_of(DOG)))


def test_what_lies_above_the_band_of_the_network_is_kept_apart() -> None:
    time = np.arange(24000) / 16000
    low, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (500, 6000))
    separation = passes(Reader((low + high)[None]), sample_rate=16000)
    separation.choose(conditions(DOG))
    blocks = list(separation.targets(plan_of(DOG)))
    above = np.concatenate([high for _, _, high in blocks if high is not None], axis=-1)[0]
    targets = np.concatenate([targets for _, targets, _ in blocks], axis=-1)[0, 0]
    middle = slice(2000, -2000)  # the ends of a file ring
    np.testing.assert_allclose(above[middle], high[middle], atol=5e-3)
    np.testing.assert_allclose(targets[middle], 0.5 * low[middle], atol=5e-3)


@pytest.mark.parametrize("length", [999, 1000, 1001])
def test_resampling_gives_the_length_that_is_asked_for(length: int) -> None:
    assert resampled(np.ones((2, 500), np.float32), 8000, 16000, length).shape == (2, length)


@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_targets_have_the_level_of_the_recording_and_only_removals_its_offset(audio: Audio, rate: int) -> None:
    offset = torch.tensor([[0.1], [-0.2]])
    audio = audio + offset.numpy()
    plan = Plan(conditions(DOG, WIND), {"dog": Target(DOG, (DOG,)), "without wind": Target(None, (WIND,))})
    separation = passes(Reader(audio), RecordingPolicy(always="quiet"), rate, Normalization(offset, 30.0))
    separation.choose(plan.conditions)
    _, targets, high = zip(*separation.targets(plan), strict=True)
    dog, without_wind = np.concatenate(targets, axis=-1)
    if rate == RATE:
        np.testing.assert_allclose(dog, 0.25 * (audio - offset.numpy()), atol=1e-6)
        np.testing.assert_allclose(without_wind, audio - dog, atol=1e-6)
    else:  # what is above the network's band contains no offset either
        assert abs(np.concatenate(high, axis=-1).mean()) < 1e-3
        assert without_wind.mean(axis=-1) - audio.mean(axis=-1) == pytest.approx([0, 0], abs=0.01)


@pytest.mark.parametrize(
    ("weights", "passes"),
    [
        ([1], ["separating"]),
        ([1, 2], ["analysing", "separating"]),
        ([1, 2], ["separating"]),  # nothing to refine: the pass before is left out
        ([7, 1, 7, 2], ["analysing", "analysing", "analysing", "separating"]),
    ],
)
def test_progress_only_grows_over_all_passes(weights: list[int], passes: list[str]) -> None:
    reports: list[tuple[int, int, str]] = []
    report = PassProgress(lambda *given: reports.append(given), 100, "m.wav", weights)
    for name in passes:
        report.begin(last=name == "separating")
        report.at(50)
        report.at(100)
    fractions = [done / total for done, total, _ in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [what for _, _, what in reports][::2] == [f"{name} m.wav" for name in passes]


def test_progress_reaches_its_end_after_more_passes_than_expected() -> None:
    reports: list[tuple[int, int, str]] = []
    report = PassProgress(lambda *given: reports.append(given), 100, "m.wav", [1, 2])
    for last in (False, False, True):
        report.begin(last)
        report.at(100)
    assert [(done, total) for done, total, _ in reports] == [(100, 300), (100, 300), (300, 300)]
