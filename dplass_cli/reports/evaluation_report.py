"""The HTML report of an evaluation: conditions, published results, classes, adapters, and examples to listen to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from dplass_cli.audio.reading import Audio
from dplass_cli.evaluation.aggregation import sdri_table
from dplass_cli.evaluation.conditions import BASE, Condition
from dplass_cli.evaluation.evaluation_run import EvaluateResult
from dplass_cli.evaluation.evaluator import plan_runs, separate_item
from dplass_cli.evaluation.items import Item, load_item
from dplass_cli.evaluation.scores import Breakdown, Scores
from dplass_cli.evaluation.table import Figure, policy_table
from dplass_cli.reports import evaluation_plots as plots
from dplass_cli.reports.page import (
    Cell,
    Section,
    heading,
    picture,
    player,
    result_table,
    row,
    table,
    text,
    write_page,
)
from dplass_cli.separation.loading import Models

_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Example:
    """An item to listen to.

    Attributes:
        item: the item.
        run: what separated it.
        sdri: dB.
        mixture: float32 (T,).
        target: the reference, float32 (T,).
        estimate: the separated target, float32 (T,).
    """

    item: Item
    run: str
    sdri: float
    mixture: Audio
    target: Audio
    estimate: Audio


def write_report(
    path: Path, result: EvaluateResult, models: Models, conditions: Sequence[Condition], examples: int
) -> None:
    """Write the report of a complete result, with that many of its worst and of its best items to listen to.

    Raises:
        InputError: the folder cannot be written.
    """
    scores, benchmark = result.scores, result.run.benchmark
    sample_rate = models.network.config.sample_rate
    silent = set(scores.silent)
    audible = [item for item in result.items if item.idx not in silent]
    sdri = sdri_table(scores.chosen, result.item_scores, [item.idx for item in audible])
    lead = [
        f"Items: {len(audible)}. Numbers are aggregated as {benchmark.aggregation.replace('-', ' ')}; intervals are 95%"
        " bootstrap intervals over items."
    ]
    if scores.silent:
        lead.append(f"Items with a silent reference, listed separately: {len(scores.silent)}.")
    if result.unusable:
        lead.append(f"Items left out because their audio cannot be used: {len(result.unusable)}.")
    extremes = worst_and_best(result, models, conditions, examples)
    left_out = [[idx, reason] for idx, reason in result.unusable.items()]
    write_page(
        path,
        f"Evaluation: {benchmark.title}",
        lead,
        [
            Section("Policies", _policies(result, sdri)),
            Section("Worst and best items", _examples(*extremes, example_condition(scores), sample_rate)),
            Section("Classes", _breakdown(scores.classes, "class", _drawn(scores))),
            Section("Domains", _breakdown(scores.domains, "domain", _drawn(scores))),
            Section("Adapters", _adapters(scores, models)),
            Section("All items", _items(scores, audible, sdri)),
            Section("Left out", [table(["item", "reason"], left_out)] if left_out else []),
        ],
    )


def _policies(result: EvaluateResult, sdri: Any) -> list[Markup]:
    benchmark, policies = result.run.benchmark, result.scores.policies
    parts = [result_table(policy_table("", policies, benchmark))]
    parts += [text(f"{published.system}: {published.source}.", "soft") for published in benchmark.published]
    over = [
        (name, score.difference, score.difference_ci)
        for name, score in policies.items()
        if name != BASE and score.difference is not None and score.difference_ci is not None
    ]
    if over and np.isfinite([ends for _, _, ends in over]).all():
        parts.append(picture(plots.differences(over, "the base"), "SDRi over that of the base, a point per policy"))
    if len(sdri):
        drawn = plots.histogram({name: sdri[name].to_numpy() for name in _drawn(result.scores)})
        parts.append(picture(drawn, "Histogram of SDRi, a line per policy"))
    silent: list[list[Cell]] = [
        [name, Figure(score.silent_level_db, ".1f")]
        for name, score in policies.items()
        if score.silent_level_db is not None
    ]
    if silent:
        parts += [heading("Silent references"), table(["policy", "output relative to the mixture (dB)"], silent)]
    return parts


def _examples(worst: Sequence[Example], best: Sequence[Example], shown: str, sample_rate: int) -> list[Markup]:
    parts = []
    for title, examples in (("Worst", worst), ("Best", best)):
        if examples:
            parts.append(heading(f"{title} under {shown}"))
        for example in examples:
            caption = f"“{example.item.query}”, item {example.item.idx}: {example.sdri:+.1f} dB by {example.run}"
            parts.append(text(caption))
            top = plots.peak_level(example.mixture)
            sounds = {"mixture": example.mixture, "target": example.target, "estimate": example.estimate}
            parts.append(row(_sound(name, audio, sample_rate, top, caption) for name, audio in sounds.items()))
    return parts


def _sound(name: str, audio: Audio, sample_rate: int, top_db: float, caption: str) -> Markup:
    spectrogram = picture(plots.spectrogram(audio, sample_rate, top_db), f"Spectrogram of the {name} of {caption}")
    return Markup("<div>{}{}</div>").format(spectrogram, player(audio, sample_rate, name))


def _breakdown(groups: Mapping[str, Breakdown], what: str, drawn: Sequence[str]) -> list[Markup]:
    if len(groups) < 2 or len(groups) > _MOST_CLASSES:
        return []
    names = list(next(iter(groups.values())).sdri)
    rows: list[list[Cell]] = [
        [group_name, group.n, *(Figure(group.sdri[name]) for name in names)] for group_name, group in groups.items()
    ]
    bars, count = plots.class_bars({key: {name: group.sdri[name] for name in drawn} for key, group in groups.items()})
    parts = [table([what, "items", *names], rows, filtered=len(groups) > 10)]
    if count < len(groups):
        parts.append(text(f"The picture shows the {count} of {len(groups)} where the policies differ most.", "soft"))
    return [*parts, picture(bars, f"Mean SDRi per {what}, a bar per policy")]


def _drawn(scores: Scores) -> list[str]:
    """The conditions that fit into one picture: the base, the one of the examples, and the upper bound."""
    bounds = [name for name, score in scores.policies.items() if score.bound]
    return [name for name in dict.fromkeys((BASE, example_condition(scores), *bounds)) if name in scores.policies]


def _adapters(scores: Scores, models: Models) -> list[Markup]:
    """Each adapter alone, and how often the conditions that choose adapters choose it."""
    if not scores.adapters:
        return []
    domains = {key: f"{domain.id} {domain.name}" for key, domain in models.bank.domains.items()}
    names = {key: domains.get(key, key) for key in scores.adapters}
    methods = [name for name in scores.confusion if not scores.policies[name].bound]
    choosers = [*methods, *(name for name, score in scores.policies.items() if score.bound)]
    rows: list[list[Cell]] = [
        [
            names[key],
            Figure(reached["sdri"]),
            Figure(reached["si_sdr"]),
            *(scores.policies[name].choices.get(key, 0) for name in choosers),
        ]
        for key, reached in scores.adapters.items()
    ]
    columns = ["adapter", "SDRi alone (dB)", "SI-SDR alone (dB)", *(f"chosen by {name}" for name in choosers)]
    parts = [table(columns, rows)]
    for name in methods:
        drawn = plots.confusion(scores.confusion[name], names, name)
        parts.append(picture(drawn, f"Adapters chosen by {name} against the best", f"{name}: chosen against best"))
    return parts


def _items(scores: Scores, audible: Sequence[Item], sdri: Any) -> list[Markup]:
    if not audible:
        return []
    shown = example_condition(scores)
    rows: list[list[Cell]] = [
        [item.idx, item.query, scores.chosen[shown].get(item.idx, ""), *(Figure(float(value)) for value in values)]
        for item, values in zip(audible, sdri.to_numpy(), strict=True)
    ]
    items = table(["item", "query", f"chosen by {shown}", *sdri.columns], rows, filtered=True)
    return [text("SDRi in dB.", "soft"), items]


def example_condition(scores: Scores) -> str:
    """The condition to show examples of: the first that is neither the base nor an upper bound, else the first."""
    names = [name for name, score in scores.policies.items() if name != BASE and not score.bound]
    return next(iter([*names, *scores.policies]))


def worst_and_best(
    result: EvaluateResult, models: Models, conditions: Sequence[Condition], count: int
) -> tuple[list[Example], list[Example]]:
    """Separate the items with the lowest and the highest SDRi again: (worst first, best first).

    There are ``count`` examples of each kind, fewer where there are not enough items.
    """
    settings = result.run.settings
    name, silent = example_condition(result.scores), set(result.scores.silent)
    runs, items = result.scores.chosen[name], {item.idx: item for item in result.items if item.idx not in silent}
    sdri = sdri_table({name: runs}, result.item_scores, list(items))[name].sort_values(kind="stable")
    count = min(count, len(sdri) // 2)

    def example(idx: str) -> Example:
        loaded = load_item(items[idx], models.network.config.sample_rate, settings.seconds)
        run = plan_runs([items[idx]], conditions, models)[idx][runs[idx]]
        estimate = separate_item(items[idx], loaded, run, models, settings)
        return Example(items[idx], runs[idx], float(sdri[idx]), loaded.mixture, loaded.reference, estimate)

    return [example(idx) for idx in sdri.index[:count]], [example(idx) for idx in sdri.index[::-1][:count]]
