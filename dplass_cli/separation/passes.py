"""The passes over one recording: choose adapters, embed residuals, separate.

A policy that requires outputs takes a pass under every adapter, refinement takes one that embeds the residuals, and the
last pass yields the targets. Each pass reads the recording again, so memory does not grow with its length; the
estimates that refinement has computed are kept for the last pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.level import Normalization
from dplass_cli.audio.reading import Audio
from dplass_cli.audio.resampling import resample
from dplass_cli.encoders import QueryEncoder
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.core import OutputEmbedding, Prepared, Request, SeparationCore
from dplass_cli.separation.kept_estimates import KeptEstimates
from dplass_cli.separation.masks import make_targets
from dplass_cli.separation.policies import Choice, DomainTexts, Policy, chooses_by_query
from dplass_cli.separation.presence import PresenceMeter
from dplass_cli.separation.queries import Plan, Source, Target
from dplass_cli.separation.refinement import ResidualEmbedding
from dplass_cli.separation.windows import Window, WindowedAudio, before_grid, sections, window_layout
from dplass_cli.storage import Progress

Read = Callable[[bool], WindowedAudio]
"""Starts reading the windows of a recording; its argument says whether this is the last pass."""


class Passes:
    """Separates one recording of ``sample_rate`` Hz by a plan.

    All that is compared and embedded is normalised; only what :meth:`targets` yields has the recording's level.

    Attributes:
        choices: {source: what served it}, once chosen.
    """

    def __init__(
        self,
        core: SeparationCore,
        encoder: QueryEncoder,
        policy: Policy,
        texts: DomainTexts,
        read: Read,
        sample_rate: int,
        normalization: Normalization,
        kept: KeptEstimates,
    ) -> None:
        self._core, self._encoder, self._policy, self._texts = core, encoder, policy, texts
        self._read, self._sample_rate, self._normalization = read, sample_rate, normalization
        self._rate = core.bank.network.config.sample_rate
        self._kept, self._kept_sources = kept, list[Source]()
        self._layout = window_layout(sample_rate, core.bank.network.config)
        self.choices: dict[Source, Activation] = {}

    def choose(self, conditions: Mapping[Source, Tensor]) -> None:
        """Choose what serves each source; a policy that requires outputs has every adapter run over the recording."""
        similarities: dict[Source, dict[str, float]] = {source: {} for source in conditions}
        if not chooses_by_query(self._policy):
            pairs = [(source, key) for source in conditions for key in self._core.bank.keys]
            requests = [Request(conditions[source], key) for source, key in pairs]
            outputs = OutputEmbedding(self._encoder, self._rate)
            for window, _, prepared in self._windows(last=False):
                separated = self._core.separate(prepared, requests).cpu()
                for section in sections(window, self._layout):
                    heard = self._samples(window, section.start, section.stop)
                    outputs.add(separated[..., heard], section.last - section.first)
            queries = torch.stack([request.condition for request in requests])
            for (source, key), value in zip(pairs, outputs.similarities(queries), strict=True):
                similarities[source][key] = value
        for source, query in conditions.items():
            choice = Choice(query, self._core.bank, self._texts, similarities[source])
            self.choices[source] = self._policy.choose(choice)

    def refine(self, plan: Plan) -> Plan:
        """Add the residual of each target that competes with no other to the plan, and choose what serves it."""
        alone = {name: t.source for name, t in plan.targets.items() if t.source and t.rivals == (t.source,)}
        if not alone:
            return plan
        requests = [Request(plan.conditions[source], self.choices[source]) for source in alone.values()]
        residuals = [ResidualEmbedding(request.condition, self._encoder, self._rate) for request in requests]
        self._kept_sources = list(alone.values())
        for window, _, prepared in self._windows(last=False):
            estimates = self._core.separate(prepared, requests).cpu()
            self._kept.add(estimates)
            kept = self._samples(window, window.first, window.last)
            for residual, estimate in zip(residuals, estimates, strict=True):
                residual.add(prepared.mixtures[0][:, kept], estimate[:, kept])
        found = {Source(n, "residual"): residual.condition() for n, residual in zip(alone, residuals, strict=True)}
        conditions = {source: condition for source, condition in found.items() if condition is not None}
        self.choose(conditions)
        refined = {
            name: Target(source, (source,), Source(name, "residual"))
            for name, source in alone.items()
            if Source(name, "residual") in conditions
        }
        return Plan({**plan.conditions, **conditions}, {**plan.targets, **refined})

    def targets(self, plan: Plan, meter: PresenceMeter | None = None) -> Iterator[tuple[Audio, Audio, Audio | None]]:
        """Separate window by window what the plan asks for; the adapters have been chosen.

        Yields:
            (recording float32 (C, n), targets float32 (Q, C, n), the recording above the model's band float32 (C, n);
            None where that band covers it) of the part of each window that is kept.
        """
        already = self._kept.read()
        stft = self._core.bank.network.stft
        normalization = self._normalization
        for window, part, prepared in self._windows(last=True):
            mixture = prepared.mixtures[0]
            left_out = (self._before_grid(window), 0)
            estimates = self._estimates(plan, prepared, next(already))
            outputs = make_targets(estimates, mixture, plan, stft, self._core.shared_mask)
            if meter is not None:
                for section in sections(window, self._layout):  # presence is defined on windows of one length
                    kept = self._samples(window, section.first, section.last)
                    meter.add(mixture[:, kept], dict(zip(plan.targets, outputs[..., kept], strict=True)))
            length = part.shape[-1]
            outputs = F.pad(outputs, left_out)
            targets = normalization.undo(resampled(outputs.numpy(), self._rate, self._sample_rate, length))
            for output, target in zip(targets, plan.targets.values(), strict=True):
                if target.source is None and normalization.offset is not None:
                    output += normalization.offset  # a removal leaves all else as it was
            high = None
            if self._sample_rate > self._rate:
                low = resampled(F.pad(mixture, left_out).numpy(), self._rate, self._sample_rate, length)
                high = normalization.undo(normalization.apply(torch.from_numpy(part)) - low)[:, window.kept].numpy()
            yield part[:, window.kept], targets[..., window.kept].numpy(), high

    def _estimates(self, plan: Plan, prepared: Prepared, kept: Tensor | None) -> Tensor:
        """The estimates of a window, float32 (S, C, n) in the order of the plan's conditions.

        ``kept`` contains those of :meth:`refine`; the network runs for the others.
        """
        found = {} if kept is None else dict(zip(self._kept_sources, kept, strict=True))
        missing = [source for source in plan.conditions if source not in found]
        if missing:
            requests = [Request(plan.conditions[source], self.choices[source]) for source in missing]
            found |= dict(zip(missing, self._core.separate(prepared, requests).cpu(), strict=True))
        return torch.stack([found[source] for source in plan.conditions])

    def _windows(self, last: bool) -> Iterator[tuple[Window, Audio, Prepared]]:
        """Windows, their samples, and their normalised mixtures at the network's rate."""
        for window, part in self._read(last):
            # Before resampling, which an offset would make ring at the ends of the recording.
            heard = self._normalization.apply(torch.from_numpy(part))
            left_out = self._before_grid(window)
            mixture = resampled(heard.numpy(), self._sample_rate, self._rate)[:, left_out:]
            yield window, part, self._core.prepare(mixture[None])

    def _samples(self, window: Window, first: int, last: int) -> slice:
        """Samples of the recording, from ``first`` to ``last``, as samples of a window at the network's rate."""
        left_out = self._before_grid(window)
        return slice(
            max(0, (first - window.start) * self._rate // self._sample_rate - left_out),
            -(-(last - window.start) * self._rate // self._sample_rate) - left_out,
        )

    def _before_grid(self, window: Window) -> int:
        return before_grid(window.start, self._sample_rate, self._core.bank.network.config)


class PassProgress:
    """Reports one count over all passes of a recording.

    Args:
        progress: called with (samples done, samples in all, what is done), samples weighted by the work of their pass.
        frames: samples of the recording.
        name: the recording's.
        weights: of the passes, in their order.
    """

    def __init__(self, progress: Progress, frames: int, name: str, weights: Sequence[int]) -> None:
        self._progress, self._frames, self._name, self._weights = progress, frames, name, weights
        self._number = -1

    def begin(self, last: bool) -> None:
        """Begin the next pass. A pass before the last one may turn out to be unnecessary."""
        final = len(self._weights) - 1
        self._number = final if last else min(self._number + 1, final - 1)

    def at(self, sample: int) -> None:
        """Report that the pass has reached a sample."""
        what = "separating" if self._number == len(self._weights) - 1 else "analysing"
        passed = self._frames * sum(self._weights[: self._number]) + sample * self._weights[self._number]
        self._progress(passed, self._frames * sum(self._weights), f"{what} {self._name}")


def resampled(audio: Audio, source: int, target: int, length: int | None = None) -> Tensor:
    """Resample float32 (..., T); crop or pad the sample that resampling there and back adds or loses."""
    output = torch.from_numpy(resample(np.ascontiguousarray(audio), source, target))
    if length is None or output.shape[-1] == length:
        return output
    return F.pad(output, (0, max(0, length - output.shape[-1])))[..., :length]
