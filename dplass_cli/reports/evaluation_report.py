"""The HTML report of an evaluation: conditions, published results, classes, adapters, and examples to listen to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.spectrograms import spectrogram_db, spectrogram_png
from dplass_cli.evaluation.aggregation import sdri_table
from dplass_cli.evaluation.conditions import BASE, Condition
from dplass_cli.evaluation.evaluation_run import EvaluateResult, Sounds
from dplass_cli.evaluation.items import Item
from dplass_cli.evaluation.scores import Breakdown, Scores
from dplass_cli.evaluation.table import Figure, Table, display_name, policy_table
from dplass_cli.options.shell_command import shell_command
from dplass_cli.reports import evaluation_plots as plots
from dplass_cli.reports.page import (
    Cell,
    ModelFile,
    Provenance,
    Section,
    folded,
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
_SPECTROGRAM = (480, 120)  # pixels
_SOUNDS = 8  # of a domain, in a table


@dataclass(frozen=True)
class Example:
    """An item to listen to.

    Attributes:
        item: the item.
        run: what separated it.
        sdri: dB.
        sounds: its audio.
    """

    item: Item
    run: str
    sdri: float
    sounds: Sounds


def write_report(
    path: Path,
    result: EvaluateResult,
    models: Models,
    conditions: Sequence[Condition],
    examples: int,
    tables: Sequence[Table] = (),
) -> None:
    """Write the report of a complete result.

    Args:
        path: of the page.
        result: the scores.
        models: the evaluated models.
        conditions: the evaluated conditions.
        examples: how many of the worst and of the best items there are to listen to.
        tables: further results, each with a section of its own below the policies.

    Raises:
        InputError: the folder cannot be written.
    """
    scores, benchmark = result.scores, result.run.benchmark
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
    shown = example_condition(result)
    extremes = worst_and_best(result, models, conditions, examples)
    left_out = [[idx, reason] for idx, reason in result.unusable.items()]
    write_page(
        path,
        f"Evaluation: {benchmark.title}",
        lead,
        [
            Section("Policies", _policies(result, sdri)),
            *(Section(each.title, [result_table(each)]) for each in tables),
            Section("Worst and best items", _examples(*extremes, shown)),
            Section("Classes", _breakdown(scores.classes, "class", _drawn(result))),
            Section("Domains", [*_domains(models), *_breakdown(scores.domains, "domain", _drawn(result))]),
            Section("Adapters", _adapters(result, models)),
            Section("All items", _items(result, audible, sdri)),
            Section("Left out", [table(["item", "reason"], left_out)] if left_out else []),
        ],
        verdict=verdict(result),
        provenance=Provenance(shell_command("evaluate", result.run.options), _models(models)),
    )


def verdict(result: EvaluateResult) -> str:
    """Whether the default, or else the first policy, is better than the base, in one sentence."""
    name, policies = example_condition(result), result.scores.policies
    score = policies[name]
    if not score.n:
        return "No item has an audible reference, so there are no scores."
    reached = f"{score.sdri:.2f} dB SDRi on {score.n:,} item{'s' * (score.n != 1)}"
    low, high = score.difference_ci or (np.nan, np.nan)
    if name == BASE or score.difference is None:
        judged = f"reaches {reached}"
    elif not np.isfinite((low, high)).all():
        judged = f"reaches {reached}, {score.difference:+.2f} dB over the base"
    else:
        comparison = "is better than" if low > 0 else "is worse than" if high < 0 else "cannot be told apart from"
        interval = f"{score.difference:+.2f} dB, 95% interval {low:+.2f} to {high:+.2f} dB"
        judged = f"{comparison} the base ({interval}): {reached}"
    subject = f"The default, {name}," if name == result.default else name
    unknown = result.default is not None and result.default not in policies
    return f"{subject} {judged}{f'; the default, {result.default}, was not evaluated' if unknown else ''}."


def _models(models: Models) -> list[ModelFile]:
    bank, domains = models.bank, models.bank.domains
    adapters = [
        ModelFile(key, domains[key].name if key in domains else info.method, bank.fingerprint(key))
        for key, info in bank.infos.items()
    ]
    base = ModelFile("base", models.network.source, bank.base_sha256)
    return [base, ModelFile("encoder", models.encoder.name, models.encoder.fingerprint), *adapters]


def _policies(result: EvaluateResult, sdri: Any) -> list[Markup]:
    benchmark, policies = result.run.benchmark, result.scores.policies
    parts = [result_table(policy_table("", policies, benchmark, result.default))]
    names = {name: display_name(name, score.bound, name == result.default) for name, score in policies.items()}
    parts += [text(f"{published.system}: {published.source}.", "soft") for published in benchmark.published]
    over = [
        (names[name], score.difference, score.difference_ci)
        for name, score in policies.items()
        if name != BASE and score.difference is not None and score.difference_ci is not None
    ]
    if over and np.isfinite([ends for _, _, ends in over]).all():
        parts.append(picture(plots.differences(over, "the base"), "SDRi over that of the base, a point per policy"))
    if len(sdri):
        drawn = plots.histogram({name: sdri[name].to_numpy() for name in _drawn(result)})
        parts.append(picture(drawn, "Histogram of SDRi, a line per policy"))
    silent: list[list[Cell]] = [
        [name, Figure(score.silent_level_db, ".1f")]
        for name, score in policies.items()
        if score.silent_level_db is not None
    ]
    if silent:
        parts += [heading("Silent references"), table(["policy", "output relative to the mixture (dB)"], silent)]
    return parts


def _examples(worst: Sequence[Example], best: Sequence[Example], shown: str) -> list[Markup]:
    parts = []
    for title, examples in (("Worst", worst), ("Best", best)):
        if examples:
            parts.append(heading(f"{title} under {shown}"))
        for example in examples:
            by = "" if example.run == shown else f" by {example.run}"
            caption = f"“{example.item.query}”, item {example.item.idx}: {example.sdri:+.1f} dB{by}"
            parts.append(text(caption))
            sounds = example.sounds
            top = float(spectrogram_db(sounds.mixture.mean(axis=0)).max())
            named = {"mixture": sounds.mixture, "target": sounds.target, "estimate": sounds.estimate}
            parts.append(row(_sound(name, audio, sounds.sample_rate, top, caption) for name, audio in named.items()))
    return parts


def _sound(name: str, audio: Audio, sample_rate: int, top_db: float, caption: str) -> Markup:
    drawn = spectrogram_png(spectrogram_db(audio.mean(axis=0)), top_db, _SPECTROGRAM)
    spectrogram = picture(drawn, f"Spectrogram of the {name} of {caption}", kind="spectrogram")
    sound = player(audio, sample_rate, f"{name}, 0 to {sample_rate / 2000:g} kHz")
    return Markup("<div>{}{}</div>").format(spectrogram, sound)


def _breakdown(groups: Mapping[str, Breakdown], what: str, drawn: Sequence[str]) -> list[Markup]:
    if len(groups) < 2 or len(groups) > _MOST_CLASSES:
        return []
    names = list(next(iter(groups.values())).sdri)
    rows: list[list[Cell]] = [
        [group_name, group.n, *(Figure(group.sdri[name]) for name in names)] for group_name, group in groups.items()
    ]
    bars, count = plots.class_bars({key: {name: group.sdri[name] for name in drawn} for key, group in groups.items()})
    parts = [picture(bars, f"Mean SDRi per {what}, a bar per policy")]
    if count < len(groups):
        parts.append(text(f"The picture shows the {count} of {len(groups)} where the policies differ most.", "soft"))
    matrix = table([what, "items", *names], rows, filtered=len(groups) > 10)
    return [*parts, folded(f"Mean SDRi (dB) per {what} and policy", [matrix])]


def _drawn(result: EvaluateResult) -> list[str]:
    """The conditions that fit into one picture: the base, the one of the examples, and the oracle."""
    policies = result.scores.policies
    bounds = [name for name, score in policies.items() if score.bound]
    return [name for name in dict.fromkeys((BASE, example_condition(result), *bounds)) if name in policies]


def _domains(models: Models) -> list[Markup]:
    """What is in each domain that has an adapter."""
    rows: list[list[Cell]] = [
        [f"{domain.id} {domain.name}", _listed(domain.captions)] for domain in models.bank.domains.values()
    ]
    return [table(["domain", "captions"], rows)] if rows else []


def _listed(captions: Sequence[str]) -> str:
    more = f" … and {len(captions) - _SOUNDS} more" if len(captions) > _SOUNDS else ""
    return "; ".join(captions[:_SOUNDS]) + more


def _adapters(result: EvaluateResult, models: Models) -> list[Markup]:
    """Each adapter alone, and how often the conditions that choose adapters choose it."""
    scores = result.scores
    if not scores.adapters:
        return []
    domains = {key: f"{domain.id} {domain.name}" for key, domain in models.bank.domains.items()}
    names = {key: domains.get(key, key) for key in scores.adapters}
    methods = [name for name in scores.confusion if not scores.policies[name].bound]
    choosers = {
        name: f"chosen by {display_name(name, score.bound, name == result.default)}"
        for name, score in scores.policies.items()
        if name in methods or score.bound
    }
    first = [name for name in choosers if name == example_condition(result) or scores.policies[name].bound]
    alone: list[list[Cell]] = [
        [names[key], Figure(reached["sdri"]), Figure(reached["si_sdr"]), *_chosen(scores, first, key)]
        for key, reached in scores.adapters.items()
    ]
    columns = ["adapter", "SDRi alone (dB)", "SI-SDR alone (dB)", *(choosers[name] for name in first)]
    parts = [table(columns, alone)]
    if set(choosers) - set(first):
        every: list[list[Cell]] = [[names[key], *_chosen(scores, list(choosers), key)] for key in scores.adapters]
        choices = table(["adapter", *choosers.values()], every)
        parts.append(folded("Items that each policy chooses each adapter for", [choices]))
    for name in methods:
        drawn = plots.confusion(scores.confusion[name], names, name)
        confusion = picture(drawn, f"Adapters chosen by {name} against the oracle's, in items")
        parts.append(folded(f"{name}: chosen adapters against the oracle's", [confusion]))
    return parts


def _chosen(scores: Scores, policies: Sequence[str], adapter: str) -> list[int]:
    return [scores.policies[name].choices.get(adapter, 0) for name in policies]


def _items(result: EvaluateResult, audible: Sequence[Item], sdri: Any) -> list[Markup]:
    if not audible:
        return []
    scores, shown = result.scores, example_condition(result)
    rows: list[list[Cell]] = [
        [item.idx, item.query, scores.chosen[shown].get(item.idx, ""), *(Figure(float(value)) for value in values)]
        for item, values in zip(audible, sdri.to_numpy(), strict=True)
    ]
    items = table(["item", "query", f"chosen by {shown}", *sdri.columns], rows, filtered=True)
    return [folded(f"SDRi (dB) of {len(rows):,} items under every policy", [items])]


def example_condition(result: EvaluateResult) -> str:
    """The condition to show examples of: the default, else the first but the base and those that see the reference."""
    policies = result.scores.policies
    if result.default in policies:
        return str(result.default)
    names = [name for name, score in policies.items() if name != BASE and not score.bound]
    return next(iter([*names, *policies]))


def worst_and_best(
    result: EvaluateResult, models: Models, conditions: Sequence[Condition], count: int
) -> tuple[list[Example], list[Example]]:
    """Separate the items with the lowest and the highest SDRi again: (worst first, best first).

    There are ``count`` examples of each kind, fewer where there are not enough items.
    """
    name, silent = example_condition(result), set(result.scores.silent)
    runs, items = result.scores.chosen[name], {item.idx: item for item in result.items if item.idx not in silent}
    sdri = sdri_table({name: runs}, result.item_scores, list(items))[name].sort_values(kind="stable")
    count = min(count, len(sdri) // 2)

    def example(idx: str) -> Example:
        sounds = result.run.listen(items[idx], runs[idx], models, conditions)
        return Example(items[idx], runs[idx], float(sdri[idx]), sounds)

    return [example(idx) for idx in sdri.index[:count]], [example(idx) for idx in sdri.index[::-1][:count]]
