"""The evaluator: reads each item once, prepares it once, and separates and scores it under every adapter asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dplass_cli.audio.level import array_normalization
from dplass_cli.audio.reading import Audio
from dplass_cli.errors import InputError
from dplass_cli.evaluation.conditions import BASE, Condition
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, Loaded, load_item
from dplass_cli.evaluation.metrics import batch_scores, bss_sdr, decibels
from dplass_cli.evaluation.scores import ItemScore
from dplass_cli.evaluation.shared_passes import PassKey, SharedPasses
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.core import NonFiniteOutput, OutputEmbedding, Request, SeparationCore
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import Choice, Policy
from dplass_cli.separation.refinement import ResidualEmbedding, resplit
from dplass_cli.separation.windows import window_layout, windows
from dplass_cli.storage import Progress


@dataclass(frozen=True)
class ItemRun:
    """One separation of an item.

    Attributes:
        activation: the adapters that serve the query.
        residual_policy: chooses what serves the residual; None: the target is not refined.
    """

    activation: Activation
    residual_policy: Policy | None = None


Runs = dict[str, ItemRun]
"""{name of a run: the run} of one item."""


@dataclass(frozen=True)
class EvaluatorSettings:
    """How an evaluation runs.

    Attributes:
        seconds: length to which clips are cut or padded before they are mixed; None: files as they are.
        batch_size: items per forward pass.
        workers: threads that read ahead.
        bfloat16: compute the convolutions in bfloat16.
        similarity: embed the outputs, where the encoder embeds sounds.
        bss: also compute BSS Eval's SDR.
    """

    seconds: float | None
    batch_size: int
    workers: int
    bfloat16: bool
    similarity: bool
    bss: bool


def plan_runs(items: Sequence[Item], conditions: Sequence[Condition], models: Models) -> dict[str, Runs]:
    """What has to run on each item, {idx: {name: run}}, so that every condition can be scored.

    Conditions that choose by outputs or by the reference need every adapter; of the others only the choice has to run.

    Raises:
        InputError: an adapter has the name of another run.
    """
    for name in (BASE, *(condition.name for condition in conditions)):
        if name in models.bank.keys:
            raise InputError(f"--adapters: an adapter is named {name!r}, like a policy; rename its folder")
    early = [condition for condition in conditions if condition.chooses_by_query]
    every = {} if len(early) == len(conditions) else {key: ItemRun(key) for key in models.bank.keys}
    queries = list(dict.fromkeys(item.query for item in items))
    planned: dict[str, Runs] = {}
    for query, embedding in zip(queries, models.encoder.embed_text(queries), strict=True):
        choice = Choice(embedding, models.bank, models.texts)
        runs: Runs = {}
        for condition in early:
            activation = condition.policy.choose(choice)
            runs[condition.run_name(activation)] = ItemRun(activation, condition.policy if condition.refine else None)
        runs |= every
        order = [BASE, *models.bank.keys]
        planned[query] = {name: runs[name] for name in [*order, *sorted(set(runs) - set(order))] if name in runs}
    return {item.idx: planned[item.query] for item in items}


def make_batches(
    items: Sequence[Item], lengths: Mapping[str, int], plan: Mapping[str, Runs], size: int
) -> list[list[Item]]:
    """Group items of one length and the same runs into batches, long ones first.

    The batches depend on the items alone, not on what is already done, so that a resumed run computes the same bits.
    """

    def alike(item: Item) -> tuple[int, tuple[str, ...]]:
        return -lengths[item.idx], tuple(plan[item.idx])

    batches = []
    # Items of one query are neighbours: they share the weights of a blend, which are then merged once.
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
    settings: EvaluatorSettings,
    progress: Progress,
) -> None:
    """Run what is planned and not yet known on the batches, and record a score for each run.

    An item that cannot be read gets a score with the reason.
    """
    open_batches = [batch for batch in batches if _missing(batch, plan, records)]
    total = sum(map(len, batches))
    done = total - sum(map(len, open_batches))
    for batch, loaded in _read_ahead(open_batches, lengths, models, settings):
        progress(done, total, "items")
        done += len(batch)
        pairs = list(zip(batch, loaded, strict=True))
        usable = {item: audio for item, audio in pairs if isinstance(audio, Loaded)}
        missing = _missing(batch, plan, records)
        scored = _run_batch(usable, plan, missing, models, settings) if usable else []
        unreadable = [ItemScore.failed(item.idx, str(audio), item.query) for item, audio in pairs if item not in usable]
        records.append([*unreadable, *scored])
    progress(total, total, "items")


def _missing(batch: Sequence[Item], plan: Mapping[str, Runs], records: ItemRecords) -> set[str]:
    """The runs that are missing for some item of a batch."""
    return {run for item in batch for run in plan[item.idx] if (item.idx, run) not in records.known}


def _read_ahead(
    batches: Sequence[list[Item]], lengths: Mapping[str, int], models: Models, settings: EvaluatorSettings
) -> Iterator[tuple[list[Item], list[Loaded | InputError]]]:
    rate = models.network.config.sample_rate

    def read(item: Item) -> Loaded | InputError:
        try:
            loaded = load_item(item, rate, settings.seconds)
        except InputError as error:
            return error
        if len(loaded.mixture) != lengths[item.idx]:
            return InputError(f"{item.files[1]}: its length differs from its header; replace it")
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
    items: Mapping[Item, Loaded],
    plan: Mapping[str, Runs],
    missing: set[str],
    models: Models,
    settings: EvaluatorSettings,
) -> list[ItemScore]:
    """Separate and score items of one length under the missing runs.

    An output is dropped once it is scored, unless a refined run continues from it.
    """
    asked = {run: [plan[item.idx][run] for item in items] for run in plan[next(iter(items)).idx] if run in missing}
    batch = PreparedItems(list(items), list(items.values()), models, settings, list(asked.values()))
    scores: list[ItemScore] = []
    for run, separations in asked.items():
        began = time.perf_counter()
        estimates, similarities = batch.separate(separations)
        seconds = (time.perf_counter() - began) / len(items)
        scores += batch.scores(run, estimates, similarities, seconds)
    models.bank.activate(None)
    return scores


@torch.inference_mode()
def separate_item(item: Item, loaded: Loaded, run: ItemRun, models: Models, settings: EvaluatorSettings) -> Audio:
    """Separate one item again, for a report: float32 (T,)."""
    estimates, _ = PreparedItems([item], [loaded], models, settings).separate([run])
    models.bank.activate(None)
    return estimates[0].cpu().numpy()


class PreparedItems:
    """Items with audio of one length, embedded and transformed once for any number of runs.

    The windows are those of ``separate``, so that both compute the same.

    Args:
        items: the items.
        loaded: the audio of each.
        models: separate and embed them.
        settings: how the evaluation runs.
        upcoming: what :meth:`separate` will be called with; the passes that those calls share run once.
    """

    def __init__(
        self,
        items: Sequence[Item],
        loaded: Sequence[Loaded],
        models: Models,
        settings: EvaluatorSettings,
        upcoming: Sequence[Sequence[ItemRun]] = (),
    ) -> None:
        self._items, self._loaded, self._models, self._settings = items, loaded, models, settings
        config = models.network.config
        self._rate = config.sample_rate
        self._core = SeparationCore(models.bank, bfloat16=settings.bfloat16, batch_size=len(items))
        self._similarity = settings.similarity and models.encoder.embeds_audio
        self._queries = models.encoder.embed_text([item.query for item in items])
        self._reference = torch.from_numpy(np.stack([audio.reference for audio in loaded])).to(self._core.device)
        self._mixture = torch.from_numpy(np.stack([audio.mixture for audio in loaded])).to(self._core.device)
        self._normalizations = [
            array_normalization(audio.mixture[None], self._rate, config.input_level_db) for audio in loaded
        ]
        heard = torch.stack(
            [each.apply(mixture[None]) for each, mixture in zip(self._normalizations, self._mixture, strict=True)]
        )
        layout = window_layout(self._rate, config)
        self._windows = [
            (window, self._core.prepare(heard[..., window.start : window.stop]))
            for window in windows(heard.shape[-1], layout.core, layout.context)
        ]
        self._passes = SharedPasses(self._core, [prepared for _, prepared in self._windows])
        self._residual_conditions: dict[PassKey, Tensor | None] = {}
        self._continued = {
            _key(row, run.activation) for runs in upcoming for row, run in enumerate(runs) if run.residual_policy
        }
        self._before = batch_scores(self._reference, self._mixture)

    def separate(self, runs: Sequence[ItemRun]) -> tuple[Tensor, list[float] | None]:
        """Separate each item under its run.

        Returns:
            (float32 (B, T) on the network's device, cosines of the outputs with their queries if they are asked for).

        Raises:
            RunError: an output contains NaN or infinity; the error names the item.
        """
        requests = {
            _key(row, run.activation): Request(query, run.activation, row)
            for row, (query, run) in enumerate(zip(self._queries, runs, strict=True))
        }
        try:
            outputs = self._passes.separate(requests, self._continued)
            refined = [row for row, run in enumerate(runs) if run.residual_policy is not None]
            if refined:
                self._refine(outputs, refined, runs)
        except NonFiniteOutput as error:
            raise error.of(f"item {self._items[error.mixture].idx}") from error
        kept = [output[..., window.kept] for output, (window, _) in zip(outputs, self._windows, strict=True)]
        separated = zip(self._normalizations, torch.cat(kept, dim=-1), strict=True)
        estimates = torch.cat([normalization.undo(estimate) for normalization, estimate in separated])
        return estimates, self._similarities(outputs) if self._similarity else None

    def _refine(self, outputs: Sequence[Tensor], rows: Sequence[int], runs: Sequence[ItemRun]) -> None:
        """Refine the outputs (B, 1, n) of each window in place, in the rows that ask for it."""
        models = self._models
        requests: dict[PassKey, Request] = {}
        for row in rows:
            condition, policy = self._residual_condition(outputs, row, runs[row].activation), runs[row].residual_policy
            if condition is not None and policy is not None:
                activation = policy.choose(Choice(condition, models.bank, models.texts))
                requests[_key(row, runs[row].activation, activation)] = Request(condition, activation, row)
        if not requests:
            return
        found = [request.mixture for request in requests.values()]
        separated = self._passes.separate(requests, requests.keys())
        for output, residuals, (_, prepared) in zip(outputs, separated, self._windows, strict=True):
            output[found] = resplit(output[found], residuals, prepared.mixtures[found])

    def _residual_condition(self, outputs: Sequence[Tensor], row: int, activation: Activation) -> Tensor | None:
        """The embedding of the residual of a row's output under an activation; see :class:`ResidualEmbedding`."""
        key = _key(row, activation)
        if key not in self._residual_conditions:
            residual = ResidualEmbedding(self._queries[row], self._models.encoder, self._rate)
            for output, (window, prepared) in zip(outputs, self._windows, strict=True):
                residual.add(prepared.mixtures[row][:, window.kept], output[row][:, window.kept])
            self._residual_conditions[key] = residual.condition()
        return self._residual_conditions[key]

    def _similarities(self, outputs: Sequence[Tensor]) -> list[float]:
        embedding = OutputEmbedding(self._models.encoder, self._rate)
        for output, (window, _) in zip(outputs, self._windows, strict=True):
            embedding.add(output, window.last - window.first)
        return embedding.similarities(self._queries)

    def scores(
        self, run: str, estimates: Tensor, similarities: Sequence[float] | None, seconds: float
    ) -> list[ItemScore]:
        """Score the outputs of a run, as :meth:`separate` returns them: one score per item."""
        (sdr_before, si_before), (sdr, si_sdr) = self._before, batch_scores(self._reference, estimates)
        distortion = {
            "sdr_mixture": sdr_before,
            "sdr": sdr,
            "sdri": sdr - sdr_before,
            "si_sdr": si_sdr,
            "si_sdri": si_sdr - si_before,
        }
        level_db = (decibels(estimates) - decibels(self._mixture)).tolist()
        silent = (self._reference == 0).all(dim=-1).tolist()
        scores = []
        for row, (item, audio) in enumerate(zip(self._items, self._loaded, strict=True)):
            metrics: dict[str, Any] = {"level_db": level_db[row], "seconds": seconds}
            if not silent[row]:  # distortion against silence is not defined
                metrics |= {name: float(values[row]) for name, values in distortion.items()}
                if self._settings.bss:
                    metrics["bss_sdr"] = bss_sdr(self._reference[row], estimates[row])
            if similarities is not None:
                metrics["similarity"] = similarities[row]
            scores.append(ItemScore(item.idx, item.query, run, audio.sha256, **metrics))
        return scores


def _key(row: int, *activations: Activation) -> PassKey:
    """Identifies a pass over a row: under one activation, or over its residual after the first of two."""
    hashable = (tuple(one.items()) if isinstance(one, Mapping) else one for one in activations)
    return row, *hashable
