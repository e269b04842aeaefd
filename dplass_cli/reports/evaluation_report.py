"""The report of an evaluation: policies beside published figures, classes, adapters, and items one can listen to."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from dplass_cli.audio.reading import Audio
from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.item_records import Row, number
from dplass_cli.evaluation.items import Item
from dplass_cli.evaluation.scores import Breakdown, PolicyScore, Scores
from dplass_cli.evaluation.statistics import Values
from dplass_cli.reports import evaluation_plots as plots
from dplass_cli.reports.page import Cell, Number, Section, heading, picture, player, row, table, text, write_page

_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Example:
    """An item to listen to: what served it, what was reached, and its audio, float32 (T,)."""

    item: Item
    run: str
    sdri: float
    mixture: Audio
    target: Audio
    estimate: Audio


@dataclass(frozen=True)
class Evaluated:
    """What a report is of.

    Attributes:
        benchmark, scores, unusable: as in the results. items: those with usable audio.
        rows: {(item, run): row}. names: {adapter: how it is called}.
        shown: the policy that the examples are of. worst, best: examples.
        sample_rate: of the examples' audio.
    """

    benchmark: Benchmark
    scores: Scores
    items: Sequence[Item]
    unusable: Mapping[str, str]
    rows: Mapping[tuple[str, str], Row]
    names: Mapping[str, str]
    shown: str
    worst: Sequence[Example]
    best: Sequence[Example]
    sample_rate: int


def write_report(path: Path, evaluated: Evaluated) -> None:
    """Write the page.

    Raises:
        InputError: the folder cannot be written.
    """
    scores = evaluated.scores
    audible = [item for item in evaluated.items if item.idx not in set(scores.silent)]
    sdri = {
        name: np.array([number(evaluated.rows[item.idx, chosen[item.idx]], "sdri") for item in audible])
        for name, chosen in scores.chosen.items()
    }
    lead = [
        f"{len(audible)} items count. Figures are the {evaluated.benchmark.aggregation.replace('-', ' ')}, intervals"
        " 95% of a bootstrap over items."
    ]
    if scores.silent:
        lead.append(f"{len(scores.silent)} items have a silent reference and stand apart.")
    if evaluated.unusable:
        lead.append(f"{len(evaluated.unusable)} items were left out, as their audio cannot be used.")
    left_out = [[idx, reason] for idx, reason in evaluated.unusable.items()]
    write_page(
        path,
        f"Evaluation: {evaluated.benchmark.title}",
        lead,
        [
            Section("Policies", _policies(evaluated, sdri)),
            Section("Worst and best items", _examples(evaluated)),
            Section("Classes", _breakdown(scores.classes, "class", evaluated.shown)),
            Section("Domains", _breakdown(scores.domains, "domain", evaluated.shown)),
            Section("Adapters", _adapters(evaluated)),
            Section("All items", [text("SDRi in dB.", "soft"), _items(evaluated, audible, sdri)] if audible else []),
            Section("Left out", [table(["item", "why"], left_out)] if left_out else []),
        ],
    )


def _policies(evaluated: Evaluated, sdri: Mapping[str, Values]) -> list[Markup]:
    columns = ["policy", "SDRi (dB)", "95%", "SI-SDR (dB)", "over base (dB)", "95%", "regret (dB)", "accuracy"]
    columns += ["similarity", "items"]
    rows = [_policy(name, score) for name, score in evaluated.scores.policies.items()]
    for figure in evaluated.benchmark.published:
        published: list[Cell] = [f"{figure.system}, published (compare with {figure.policy})", _db(figure.sdri)]
        published += ["", _db(figure.si_sdr), _db(None), "", *[_db(None)] * 3]
        rows.append([*published, Number(evaluated.benchmark.rows, "d")])
    parts = [table(columns, rows)]
    if any(score.bound for score in evaluated.scores.policies.values()):
        parts.append(
            text("A bound sees the true source: no method can be compared with it, only measured by it.", "soft")
        )
    parts += [text(f"{figure.system}: {figure.source}.", "soft") for figure in evaluated.benchmark.published]
    over = [
        (name, score.difference, score.difference_ci)
        for name, score in evaluated.scores.policies.items()
        if name != "base" and score.difference is not None and score.difference_ci is not None
    ]
    if over and np.isfinite([ends for _, _, ends in over]).all():
        parts.append(picture(plots.differences(over, "the base"), "SDRi over that of the base, a point a policy"))
    if any(len(values) for values in sdri.values()):
        drawn = plots.histogram({name: sdri[name] for name in _drawn(sdri, evaluated.shown)})
        parts.append(picture(drawn, "Histogram of SDRi, a line a policy"))
    silent: list[list[Cell]] = [
        [name, Number(score.silent_level_db, ".1f")]
        for name, score in evaluated.scores.policies.items()
        if score.silent_level_db is not None
    ]
    if silent:
        parts += [heading("Where the reference is silent"), table(["policy", "level under the mixture (dB)"], silent)]
    return parts


def _policy(name: str, score: PolicyScore) -> list[Cell]:
    over, ends = (None, None) if name == "base" else (score.difference, score.difference_ci)
    return [
        f"{name} (bound)" if score.bound else name,
        _db(score.sdri),
        _interval(score.sdri_ci, ".2f"),
        _db(score.si_sdr),
        Number(over, "+.2f"),
        _interval(ends, "+.2f"),
        _db(score.regret),
        Number(score.accuracy, ".0%"),
        Number(score.similarity, ".3f"),
        score.n,
    ]


def _examples(evaluated: Evaluated) -> list[Markup]:
    parts = []
    for title, examples in (("Worst", evaluated.worst), ("Best", evaluated.best)):
        if examples:
            parts.append(heading(f"{title} under {evaluated.shown}"))
        for example in examples:
            said = f"“{example.item.query}”, item {example.item.idx}: {example.sdri:+.1f} dB by {example.run}"
            parts.append(text(said))
            top = plots.peak_level(example.mixture)
            heard = {"mixture": example.mixture, "target": example.target, "estimate": example.estimate}
            parts.append(row(_sound(name, audio, evaluated.sample_rate, top, said) for name, audio in heard.items()))
    return parts


def _sound(name: str, audio: Audio, sample_rate: int, top_db: float, said: str) -> Markup:
    seen = picture(plots.spectrogram(audio, sample_rate, top_db), f"Spectrogram of the {name} of {said}")
    return Markup("<div>{}{}</div>").format(seen, player(audio, sample_rate, name))


def _breakdown(groups: Mapping[str, Breakdown], what: str, shown: str) -> list[Markup]:
    if len(groups) < 2 or len(groups) > _MOST_CLASSES:
        return []
    policies = list(next(iter(groups.values())).sdri)
    rows: list[list[Cell]] = [
        [name, group.n, *(_db(group.sdri[policy]) for policy in policies)] for name, group in groups.items()
    ]
    drawn = _drawn(policies, shown)
    bars, count = plots.class_bars({name: {p: group.sdri[p] for p in drawn} for name, group in groups.items()})
    parts = [table([what, "items", *policies], rows, filtered=len(groups) > 10)]
    if count < len(groups):
        parts.append(text(f"The picture shows the {count} of {len(groups)} in which policies differ most.", "soft"))
    return [*parts, picture(bars, f"Mean SDRi by {what}, a bar a policy")]


def _drawn(policies: Container[str], shown: str) -> list[str]:
    """The policies that fit into one picture: the reference, the one that examples are of, and the bound."""
    return [name for name in dict.fromkeys(("base", shown, "oracle")) if name in policies]


def _adapters(evaluated: Evaluated) -> list[Markup]:
    scores = evaluated.scores
    if not scores.adapters:
        return []
    takers = [name for name in scores.confusion if name != "oracle"]
    policies = [name for name in (*takers, "oracle") if name in scores.policies]
    rows: list[list[Cell]] = [
        [
            evaluated.names.get(key, key),
            _db(reached["sdri"]),
            _db(reached["si_sdr"]),
            *(scores.policies[name].choices.get(key, 0) for name in policies),
        ]
        for key, reached in scores.adapters.items()
    ]
    parts = [table(["adapter", "SDRi alone (dB)", "SI-SDR alone (dB)", *(f"{name} takes" for name in policies)], rows)]
    names = {key: evaluated.names.get(key, key) for key in scores.adapters}
    for name in takers:
        drawn = plots.confusion(scores.confusion[name], names, name)
        parts.append(picture(drawn, f"Adapters chosen by {name} against the best", f"{name}: chosen against best"))
    return parts


def _items(evaluated: Evaluated, audible: Sequence[Item], sdri: Mapping[str, Values]) -> Markup:
    rows: list[list[Cell]] = [
        [
            item.idx,
            item.query,
            evaluated.scores.chosen[evaluated.shown].get(item.idx, ""),
            *(_db(float(values[position])) for values in sdri.values()),
        ]
        for position, item in enumerate(audible)
    ]
    return table(["item", "query", f"{evaluated.shown} takes", *sdri], rows, filtered=True)


def _interval(ends: tuple[float, float] | None, form: str) -> Markup:
    if ends is None or not np.isfinite(ends).all():
        return Markup("")
    return Markup('<span class="number">{} … {}</span>').format(*(format(end, form) for end in ends))


def _db(value: float | None) -> Number:
    return Number(value, ".2f")
