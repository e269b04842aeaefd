"""From rows an item and run to what each policy reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dplass_cli.evaluation.benchmarks import Aggregation
from dplass_cli.evaluation.evaluator import BASE, run_name
from dplass_cli.evaluation.item_records import Row, number
from dplass_cli.evaluation.items import Item
from dplass_cli.evaluation.statistics import Values, aggregate, bootstrap, interval
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import Choice, Policy, make_policy

METRICS = ("sdri", "si_sdr", "si_sdri", "sdr", "bss_sdr", "similarity")


@dataclass(frozen=True)
class PolicyScore:
    """What a policy reached, summed up by the benchmark's rule.

    Attributes:
        sdri, si_sdr, si_sdri, sdr: dB. bss_sdr: BSS Eval's, dB. similarity: cosine of the output with the query. NaN
            where they were not computed.
        sdri_ci, si_sdr_ci: bootstrap 95% intervals.
        n: items with an audible reference.
        bound: the policy looks at the true source: a bound, not a method.
        difference, difference_ci: SDRi over the base's on the same items, dB; None where the base did not run.
        regret: the oracle's SDRi less this one's, dB; None where not every adapter ran.
        accuracy: the share of items for which it takes the oracle's adapter; None where it takes none.
        choices: how often each adapter was taken.
        silent_level_db: where the reference is silent, the mean level of the output under the mixture, dB; None
            without such items.
    """

    sdri: float
    si_sdr: float
    si_sdri: float
    sdr: float
    bss_sdr: float
    similarity: float
    sdri_ci: tuple[float, float]
    si_sdr_ci: tuple[float, float]
    n: int
    bound: bool
    difference: float | None
    difference_ci: tuple[float, float] | None
    regret: float | None
    accuracy: float | None
    choices: dict[str, int]
    silent_level_db: float | None


@dataclass(frozen=True)
class Breakdown:
    """One class or domain: its items, and the mean SDRi of each policy over them."""

    n: int
    sdri: dict[str, float]


@dataclass(frozen=True)
class Scores:
    """What came of an evaluation.

    Attributes:
        policies: by name. adapters: each adapter for every item, SDRi and SI-SDR.
        domains, classes: breakdowns. confusion: {policy: {its adapter: {the oracle's: items}}}.
        chosen: {policy: {item: run}}.
        silent: the items whose reference is silent; they count in nothing but ``silent_level_db``.
    """

    policies: dict[str, PolicyScore]
    adapters: dict[str, dict[str, float]]
    domains: dict[str, Breakdown]
    classes: dict[str, Breakdown]
    confusion: dict[str, dict[str, dict[str, int]]]
    chosen: dict[str, dict[str, str]]
    silent: list[str]


def score_policies(
    policies: Sequence[Policy],
    items: Sequence[Item],
    known: Mapping[tuple[str, str], Row],
    models: Models,
    rule: Aggregation,
) -> Scores:
    """Let every policy choose for every item, and sum up what it chose.

    Args:
        known: the row of each (item, run).
        rule: how the benchmark sums up.
    """
    rows: dict[str, dict[str, Row]] = {item.idx: {} for item in items}
    for (idx, run), row in known.items():
        if idx in rows:
            rows[idx][run] = row
    keys = models.bank.keys
    choices = _choices(items, rows, models)
    table = _Table(items, rows, keys, choices, rule)
    chosen = {policy.name: table.chosen(policy, choices) for policy in policies}
    values = {name: table.values(picked) for name, picked in chosen.items()}
    singles = {key: aggregate(rule, table.values(dict.fromkeys(rows, key)), table.groups) for key in keys if table.best}
    return Scores(
        {policy.name: table.score(policy, chosen[policy.name]) for policy in policies},
        {key: {"sdri": float(sums[0]), "si_sdr": float(sums[1])} for key, sums in singles.items()},
        _breakdown([_domain(choices[item.idx], item.query) for item in table.audible], values),
        _breakdown(table.groups, values),
        {name: _confusion(picked, table.best) for name, picked in chosen.items() if table.takes_adapters(picked)},
        chosen,
        table.silent,
    )


class _Table:
    """The rows of an evaluation, and what every policy is measured against.

    Attributes:
        audible: the items that count; silent: the names of those whose reference is silent.
        best: {item: the oracle's adapter} of audible items; empty where not every adapter ran.
    """

    def __init__(
        self,
        items: Sequence[Item],
        rows: Mapping[str, Mapping[str, Row]],
        keys: Sequence[str],
        choices: Mapping[str, Choice],
        rule: Aggregation,
    ) -> None:
        self._rows, self._keys, self._rule = rows, keys, rule
        self.silent = [item.idx for item in items if not next(iter(rows[item.idx].values()))["sdri"]]
        self.audible = [item for item in items if item.idx not in set(self.silent)]
        self.groups = [item.group for item in self.audible]
        complete = bool(keys) and all(key in rows[item.idx] for item in items for key in keys)
        oracle = make_policy("oracle")
        self.best = {item.idx: str(oracle.choose(choices[item.idx])) for item in self.audible} if complete else {}
        has_base = all(BASE in rows[item.idx] for item in self.audible)
        self._base = self.values(dict.fromkeys(rows, BASE)) if has_base else None
        self._ceiling = float(aggregate(rule, self.values(self.best), self.groups)[0]) if self.best else None

    def chosen(self, policy: Policy, choices: Mapping[str, Choice]) -> dict[str, str]:
        """The run that a policy takes for each item; where it needs a reference, for each audible one."""
        if policy.uses_reference:
            return self.best
        return {idx: run_name(policy, policy.choose(choice)) for idx, choice in choices.items()}

    def values(self, picked: Mapping[str, str]) -> Values:
        """The metrics of one run an item: (N, M) of N audible items."""
        rows = [self._rows[item.idx][picked[item.idx]] for item in self.audible]
        return np.array([[number(row, metric) for metric in METRICS] for row in rows]).reshape(-1, len(METRICS))

    def takes_adapters(self, picked: Mapping[str, str]) -> bool:
        """Whether there is an adapter to compare with the oracle's."""
        return bool(self.best) and bool(set(picked.values()) & set(self._keys))

    def score(self, policy: Policy, picked: Mapping[str, str]) -> PolicyScore:
        """Sum up one policy's picks."""
        values = self.values(picked)
        sums = dict(zip(METRICS, aggregate(self._rule, values, self.groups).tolist(), strict=True))
        compared = [values[:, :2]] if self._base is None else [values[:, :2], self._base[:, :1]]
        samples = bootstrap(self._rule, np.concatenate(compared, axis=1), self.groups)
        base = None if self._base is None else float(aggregate(self._rule, self._base, self.groups)[0])
        hits = [picked[idx] == run for idx, run in self.best.items()]
        levels = [number(self._rows[idx][picked[idx]], "level_db") for idx in self.silent if idx in picked]
        return PolicyScore(
            **sums,
            sdri_ci=interval(samples[:, 0]),
            si_sdr_ci=interval(samples[:, 1]),
            n=len(values),
            bound=policy.uses_reference,
            difference=None if base is None else sums["sdri"] - base,
            difference_ci=None if base is None else interval(samples[:, 0] - samples[:, 2]),
            regret=None if self._ceiling is None else self._ceiling - sums["sdri"],
            accuracy=float(np.mean(hits)) if self.takes_adapters(picked) else None,
            choices=dict(sorted(Counter(picked.values()).items())),
            silent_level_db=float(np.mean(levels)) if levels else None,
        )


def _choices(items: Sequence[Item], rows: Mapping[str, Mapping[str, Row]], models: Models) -> dict[str, Choice]:
    """What the policies may look at, for each item."""
    embeddings = models.encoder.embed_text([item.query for item in items])
    choices = {}
    for item, embedding in zip(items, embeddings, strict=True):
        ran = {key: rows[item.idx][key] for key in models.bank.keys if key in rows[item.idx]}
        similarities = {key: number(row, "similarity") for key, row in ran.items() if row["similarity"]}
        scores = {key: number(row, "sdri") + number(row, "si_sdr") for key, row in ran.items() if row["sdri"]}
        choices[item.idx] = Choice(embedding, models.bank, models.texts, similarities, scores)
    return choices


def _domain(choice: Choice, query: str) -> str:
    """The domain of an item: the one whose captions hold its query, else the nearest by text; empty without domains."""
    domains = choice.bank.domains
    if not domains:
        return ""
    key = next((key for key, domain in domains.items() if query in domain.captions), None)
    key = key or str(make_policy("text").choose(choice))
    return f"{domains[key].id} {domains[key].name}"


def _breakdown(names: Sequence[str], tables: Mapping[str, Values]) -> dict[str, Breakdown]:
    """The mean SDRi of each policy by class; nothing where items have no class."""
    labels = np.asarray(names)
    return {
        name: Breakdown(
            int((labels == name).sum()),
            {policy: float(table[labels == name, 0].mean()) for policy, table in tables.items()},
        )
        for name in sorted(set(names) - {""})
    }


def _confusion(picked: Mapping[str, str], best: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """How often each adapter was taken where the oracle would take each."""
    counts: dict[str, dict[str, int]] = {}
    for idx, wanted in best.items():
        row = counts.setdefault(picked[idx], {})
        row[wanted] = row.get(wanted, 0) + 1
    return {run: dict(sorted(row.items())) for run, row in sorted(counts.items())}
