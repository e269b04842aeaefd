"""The one evaluator: every item is read, transformed and embedded once, then every adapter that is asked for runs."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.reading import Audio
from dplass_cli.errors import InputError, RunError
from dplass_cli.evaluation.conditions import BASE, Condition
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, Loaded, load_item
from dplass_cli.evaluation.metrics import batch_scores, bss_sdr
from dplass_cli.evaluation.scores import ItemScore
from dplass_cli.models.resunet30 import Analysis
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import Choice, Policy
from dplass_cli.separation.refinement import Rest, contrasted
from dplass_cli.storage import Progress

_SILENT_DB = -200.0


@dataclass(frozen=True)
class Contrasted:
    """A run of a policy of contrast: what serves the query; for the rest it chooses when that is heard."""

    activation: Activation
    policy: Policy


Run = Activation | Contrasted
Runs = dict[str, Run]


@dataclass(frozen=True)
class Running:
    """How an evaluation runs.

    Attributes:
        seconds: clips are cut or padded to this length before they are mixed; None: files as they are.
        batch_size: items a forward. workers: threads that read ahead.
        bfloat16: compute the convolutions in bfloat16.
        similarity: embed what comes out. bss: also compute BSS Eval's SDR.
    """

    seconds: float | None
    batch_size: int
    workers: int
    bfloat16: bool
    similarity: bool
    bss: bool


def plan_runs(items: Sequence[Item], conditions: Sequence[Condition], models: Models) -> dict[str, Runs]:
    """What has to run on each item for the conditions: {idx: {run: what to activate}}.

    A run is the base, an adapter, or what a policy makes of them, under the policy's name. Policies that look
    at outputs need every adapter; of the others only the choice has to run.

    Raises:
        InputError: a policy lacks what it needs, or an adapter has the name of another run.
    """
    for name in (BASE, *(condition.name for condition in conditions)):
        if name in models.bank.keys:
            raise InputError(f"an adapter is named {name!r}, as a policy is; rename its folder")
    early = [condition for condition in conditions if condition.chooses_by_query]
    every: Runs = {} if len(early) == len(conditions) else {key: key for key in models.bank.keys}
    queries = list(dict.fromkeys(item.query for item in items))
    planned: dict[str, Runs] = {}
    for query, embedding in zip(queries, models.encoder.embed_text(queries), strict=True):
        choice = Choice(embedding, models.bank, models.texts)
        runs: Runs = {}
        for condition in early:
            policy, activation = condition.policy, condition.policy.choose(choice)
            runs[condition.run_name(activation)] = Contrasted(activation, policy) if policy.contrasts else activation
        runs |= every
        order = [BASE, *models.bank.keys]
        planned[query] = {name: runs[name] for name in [*order, *sorted(set(runs) - set(order))] if name in runs}
    return {item.idx: planned[item.query] for item in items}


def make_batches(
    items: Sequence[Item], lengths: Mapping[str, int], plan: Mapping[str, Runs], size: int
) -> list[list[Item]]:
    """Cut items into batches of one length and the same runs, long ones first.

    The batches depend on the items alone, not on what is done already, so that a resumed run computes the same bits.
    """

    def alike(item: Item) -> tuple[int, tuple[str, ...]]:
        return -lengths[item.idx], tuple(plan[item.idx])

    batches = []
    # Items of one query lie together: they share the weights of a blend.
    for _, group in groupby(sorted(items, key=lambda item: (*alike(item), item.query)), key=alike):
        while batch := list(islice(group, size)):
            batches.append(batch)
    return batches


def evaluate_batches(
    batches: Sequence[list[Item]],
    lengths: Mapping[str, int],
    plan: Mapping[str, Runs],
    models: Models,
    records: ItemRecords,
    settings: Running,
    progress: Progress,
) -> None:
    """Run what is planned and not known yet on the batches, and record a score for each run.

    An item that cannot be read gets a score that says so.
    """
    open_batches = [batch for batch in batches if _missing(batch, plan, records)]
    total = sum(map(len, batches))
    done = total - sum(map(len, open_batches))
    for batch, loaded in _read_ahead(open_batches, lengths, models, settings):
        progress(done, total, "items")
        done += len(batch)
        pairs = list(zip(batch, loaded, strict=True))
        usable = {item: audio for item, audio in pairs if isinstance(audio, Loaded)}
        wanted = _missing(batch, plan, records)
        scored = _run_batch(usable, plan, wanted, models, settings) if usable else []
        unreadable = [ItemScore.failed(item.idx, str(audio), item.query) for item, audio in pairs if item not in usable]
        records.append([*unreadable, *scored])
    progress(total, total, "items")


def _missing(batch: Sequence[Item], plan: Mapping[str, Runs], records: ItemRecords) -> set[str]:
    """The runs that some item of a batch lacks."""
    return {run for item in batch for run in plan[item.idx] if (item.idx, run) not in records.known}


def _read_ahead(
    batches: Sequence[list[Item]], lengths: Mapping[str, int], models: Models, settings: Running
) -> Iterator[tuple[list[Item], list[Loaded | InputError]]]:
    rate = models.network.config.sample_rate

    def read(item: Item) -> Loaded | InputError:
        try:
            loaded = load_item(item, rate, settings.seconds)
        except InputError as error:
            return error
        if len(loaded.mixture) != lengths[item.idx]:
            return InputError(f"{item.files[1]}: is not as long as its header says; replace it")
        return loaded

    with ThreadPoolExecutor(settings.workers) as pool:
        coming = ([pool.submit(read, item) for item in batch] for batch in batches)
        reading = next(coming, [])
        for batch in batches:
            following = next(coming, [])
            yield batch, [future.result() for future in reading]
            reading = following


@torch.inference_mode()
def _run_batch(
    items: Mapping[Item, Loaded], plan: Mapping[str, Runs], wanted: set[str], models: Models, settings: Running
) -> list[ItemScore]:
    """Separate and score items of one length by the wanted of their runs; an output is dropped when it is scored."""
    separation = Separation(list(items), list(items.values()), models, settings)
    scores: list[ItemScore] = []
    for run in plan[next(iter(items)).idx]:
        if run not in wanted:
            continue
        began = time.perf_counter()
        estimates = separation.estimates([plan[item.idx][run] for item in items])
        seconds = (time.perf_counter() - began) / len(items)
        scores += separation.scores(run, estimates, seconds)
    models.bank.activate(None)
    return scores


@torch.inference_mode()
def separate_item(item: Item, loaded: Loaded, run: Run, models: Models, settings: Running) -> Audio:
    """Separate one item again: float32 (T,)."""
    estimate = Separation([item], [loaded], models, settings).estimates([run])[0]
    models.bank.activate(None)
    return estimate.cpu().numpy()


class Separation:
    """A batch of mixtures, transformed and embedded once, for any number of forwards.

    Args:
        items, loaded: B items of one length and their audio.
    """

    def __init__(self, items: Sequence[Item], loaded: Sequence[Loaded], models: Models, settings: Running) -> None:
        self._items, self._loaded, self._models, self._settings = items, loaded, models, settings
        device = next(models.network.parameters()).device
        self._length = len(loaded[0].mixture)
        self._queries = models.encoder.embed_text([item.query for item in items])
        self._conditions = self._queries.to(device)
        self._reference = torch.from_numpy(np.stack([audio.reference for audio in loaded])).to(device)
        self._mixture = torch.from_numpy(np.stack([audio.mixture for audio in loaded])).to(device)
        short = models.network.config.n_fft - self._length  # the shortest that can be transformed
        self._analysis = models.network.analyse(F.pad(self._mixture, (0, max(0, short)))[:, None])
        self._before = batch_scores(self._reference, self._mixture)

    def estimates(self, runs: Sequence[Run]) -> Tensor:
        """Separate each mixture under what it asks for: float32 (B, T) on the device.

        Raises:
            RunError: an output is not finite.
        """
        output = self._separate([_activation(run) for run in runs], self._conditions)
        contrasts = {row: run for row, run in enumerate(runs) if isinstance(run, Contrasted)}
        return self._contrasted(output, contrasts) if contrasts else output

    def _contrasted(self, output: Tensor, runs: Mapping[int, Contrasted]) -> Tensor:
        """Contrast outputs (B, T) with what they leave over, in the rows that ask for it."""
        encoder, rate = self._models.encoder, self._models.network.config.sample_rate
        rests: dict[int, Tensor] = {}
        for row in runs:
            rest = Rest(self._queries[row], encoder, rate)
            rest.hear(self._mixture[row][None], output[row][None])
            if rest.condition is not None:
                rests[row] = rest.condition
        activations: list[Activation] = [None] * len(output)
        conditions = self._conditions.clone()
        for row, condition in rests.items():
            activations[row] = runs[row].policy.choose(Choice(condition, self._models.bank, self._models.texts))
            conditions[row] = condition.to(conditions.device)
        others = self._separate(activations, conditions, list(rests))
        rows = list(rests)
        output[rows] = contrasted(output[rows], others[rows], self._mixture[rows])
        return output

    def _separate(
        self, activations: Sequence[Activation], conditions: Tensor, wanted: Collection[int] | None = None
    ) -> Tensor:
        """Separate mixtures by conditions (B, D), each under its activation: (B, T); rows not wanted stay zeros."""
        network, bank = self._models.network, self._models.bank
        output = torch.zeros_like(self._mixture)
        asked = range(len(activations)) if wanted is None else wanted
        for activation in _distinct([activations[row] for row in asked]):
            bank.activate(activation)
            rows = [row for row in asked if activations[row] == activation]
            analysis = self._analysis if len(rows) == len(activations) else self._part(rows)
            with torch.autocast(output.device.type, torch.bfloat16, enabled=self._settings.bfloat16):
                separated = network(analysis, conditions[rows])
            output[rows] = separated[:, 0, : self._length].float()
        if not torch.isfinite(output).all():
            row = int((~torch.isfinite(output)).any(dim=1).nonzero()[0])
            raise RunError(f"item {self._items[row].idx}: {bank.active or BASE} gives samples that are not numbers")
        return output

    def _part(self, rows: Sequence[int]) -> Analysis:
        chosen = list(rows)
        return Analysis(self._analysis.spectrum[chosen], self._analysis.magnitude[chosen], self._analysis.length)

    def scores(self, run: str, estimates: Tensor, seconds: float) -> list[ItemScore]:
        """Score estimates (B, T): one score per item."""
        after = batch_scores(self._reference, estimates)
        level = _decibels(estimates) - _decibels(self._mixture)
        similarity: list[float | None] = [None] * len(self._items)
        if self._settings.similarity:
            embedded = self._models.encoder.embed_audio(estimates, self._models.network.config.sample_rate)
            similarity = (embedded * self._queries).sum(dim=-1).tolist()
        silent = (self._reference == 0).all(dim=-1).tolist()
        sdr_before, si_before = (scores.tolist() for scores in self._before)
        sdr_after, si_after = (scores.tolist() for scores in after)
        scores = []
        for row, (item, audio) in enumerate(zip(self._items, self._loaded, strict=True)):
            metrics: dict[str, Any] = {}
            if not silent[row]:
                metrics = {
                    "sdr_mixture": sdr_before[row],
                    "sdr": sdr_after[row],
                    "sdri": sdr_after[row] - sdr_before[row],
                    "si_sdr": si_after[row],
                    "si_sdri": si_after[row] - si_before[row],
                }
                if self._settings.bss:
                    metrics["bss_sdr"] = bss_sdr(self._reference[row], estimates[row])
            scores.append(
                ItemScore(
                    item.idx,
                    item.query,
                    run,
                    audio.sha256,
                    similarity=similarity[row],
                    level_db=float(level[row]),
                    seconds=seconds,
                    **metrics,
                )
            )
        return scores


def _activation(run: Run) -> Activation:
    return run.activation if isinstance(run, Contrasted) else run


def _distinct(activations: Sequence[Activation]) -> list[Activation]:
    distinct: list[Activation] = []
    for activation in activations:
        if activation not in distinct:
            distinct.append(activation)
    return distinct


def _decibels(audio: Tensor) -> Tensor:
    """The mean energy of audio (B, T) in dB; silence is at -200 dB."""
    energy = audio.square().mean(dim=-1).cpu().double()
    return 10.0 * torch.log10(energy.clamp(min=10.0 ** (_SILENT_DB / 10.0)))
