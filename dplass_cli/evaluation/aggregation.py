"""From scores of items to scores of conditions: let every policy choose, join choices with scores, aggregate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dplass_cli.evaluation.benchmarks import Aggregation
from dplass_cli.evaluation.conditions import BASE, Condition
from dplass_cli.evaluation.items import Item
from dplass_cli.evaluation.scores import METRICS, Breakdown, ItemScore, PolicyScore, Scores
from dplass_cli.evaluation.statistics import aggregate, bootstrap, interval
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import Choice
from dplass_cli.separation.policies.built_in import OraclePolicy, TextPolicy

Known = Mapping[tuple[str, str], ItemScore]
"""{(item, run): score}"""

Runs = Mapping[str, str]
"""{item: run}"""


def score_conditions(
    conditions: Sequence[Condition], items: Sequence[Item], known: Known, models: Models, rule: Aggregation
) -> Scores:
    """Let the policy of every condition choose for every item, and aggregate the scores of what it chose by ``rule``.

    Args:
        items: of the benchmark, without those that could not be read.
        known: the scores; every run that a condition chooses must be there.
    """
    names, keys = [item.idx for item in items], models.bank.keys
    scores = score_table(known).loc[names]
    silent = set(scores.index[scores["sdri"].isna()].get_level_values("idx"))
    audible = [item for item in items if item.idx not in silent]
    choices = _choices(items, scores, models)
    chosen = {
        condition.name: {
            idx: condition.run_name(condition.policy.choose(choice))
            for idx, choice in choices.items()
            if not (condition.bound and idx in silent)
        }
        for condition in conditions
    }
    every_adapter_ran = bool(keys) and pd.MultiIndex.from_product([names, keys]).isin(scores.index).all()
    best = {item.idx: str(OraclePolicy().choose(choices[item.idx])) for item in audible} if every_adapter_ran else {}
    groups = [item.group for item in audible]
    aggregator = _Aggregator(scores, [item.idx for item in audible], groups, rule, keys, best)
    singles = {key: aggregator.metrics(dict.fromkeys(names, key)) for key in keys if every_adapter_ran}
    sdri = sdri_table(chosen, known, [item.idx for item in audible])
    return Scores(
        policies={condition.name: aggregator.score(condition, chosen[condition.name]) for condition in conditions},
        adapters={key: {"sdri": values["sdri"], "si_sdr": values["si_sdr"]} for key, values in singles.items()},
        domains=_breakdown(sdri, [_domain(choices[item.idx], item.query) for item in audible]),
        classes=_breakdown(sdri, groups),
        confusion={name: _confusion(runs, best) for name, runs in chosen.items() if aggregator.chooses_adapters(runs)},
        chosen=chosen,
        silent=[idx for idx in names if idx in silent],
    )


def score_fixed_runs(conditions: Sequence[Condition], items: Sequence[Item], known: Known, rule: Aggregation) -> Scores:
    """Aggregate by ``rule`` the scores of conditions that each have a run of their own name on every item."""
    names = [item.idx for item in items]
    scores = score_table(known).loc[names]
    silent = set(scores.index[scores["sdri"].isna()].get_level_values("idx"))
    audible = [item for item in items if item.idx not in silent]
    groups = [item.group for item in audible]
    aggregator = _Aggregator(scores, [item.idx for item in audible], groups, rule, (), {})
    chosen = {condition.name: dict.fromkeys(names, condition.name) for condition in conditions}
    sdri = sdri_table(chosen, known, [item.idx for item in audible])
    return Scores(
        policies={condition.name: aggregator.score(condition, chosen[condition.name]) for condition in conditions},
        adapters={},
        domains={},
        classes=_breakdown(sdri, groups),
        confusion={},
        chosen=chosen,
        silent=[idx for idx in names if idx in silent],
    )


def score_table(known: Known) -> Any:
    """The scores as a data frame: a column per metric, indexed by item and run; NaN where a metric is None."""
    table = pd.DataFrame.from_records([vars(score) for score in known.values()], index=["idx", "run"])
    return table[[*METRICS, "level_db"]].astype(float)


def sdri_table(chosen: Mapping[str, Runs], known: Known, audible: Sequence[str]) -> Any:
    """SDRi in dB as a data frame: a row per audible item, a column per condition of ``chosen``."""
    return pd.DataFrame(
        {name: [known[idx, runs[idx]].sdri for idx in audible] for name, runs in chosen.items()},
        index=audible,
        dtype=float,
    )


class _Aggregator:
    """Aggregates the scores of one run per item.

    Args:
        scores: as :func:`score_table` returns them.
        audible: items with an audible reference.
        groups: their classes.
        best: {audible item: the oracle's adapter}; empty where not every adapter ran.
    """

    def __init__(
        self,
        scores: Any,
        audible: Sequence[str],
        groups: Sequence[str],
        rule: Aggregation,
        keys: Sequence[str],
        best: Runs,
    ) -> None:
        self._scores, self._audible, self._groups = scores, audible, groups
        self._rule, self._keys, self._best = rule, keys, best
        base = dict.fromkeys(audible, BASE)
        self._base = self._values(base) if set(base.items()) <= set(scores.index) else None
        self._oracle_sdri = self.metrics(best)["sdri"] if best else None

    def _values(self, runs: Runs) -> Any:
        """The metrics of a run per audible item: a row per item."""
        return self._scores.loc[[(idx, runs[idx]) for idx in self._audible], list(METRICS)]

    def metrics(self, runs: Runs) -> dict[str, float]:
        return self._aggregated(self._values(runs))

    def _aggregated(self, values: Any) -> dict[str, float]:
        return dict(zip(METRICS, aggregate(self._rule, values.to_numpy(), self._groups).tolist(), strict=True))

    def chooses_adapters(self, runs: Runs) -> bool:
        """Whether there are adapters to compare with the oracle's."""
        return bool(self._best) and not set(self._keys).isdisjoint(runs.values())

    def score(self, condition: Condition, runs: Runs) -> PolicyScore:
        """Aggregate a condition's scores, with intervals and in comparison with the base and the oracle."""
        values = self._values(runs)
        metrics = self._aggregated(values)
        columns = [values["sdri"], values["si_sdr"]]
        columns += [] if self._base is None else [self._base["sdri"]]
        # All columns are resampled together, so that the interval of a difference is that of the paired differences.
        samples = bootstrap(self._rule, np.column_stack(columns), self._groups)
        base = None if self._base is None else self._aggregated(self._base)["sdri"]
        best = pd.Series(self._best, dtype=str)
        audible = set(self._audible)
        silent = [(idx, run) for idx, run in runs.items() if idx not in audible]
        level = self._scores.loc[silent, "level_db"].mean()
        return PolicyScore(
            **metrics,
            sdri_ci=interval(samples[:, 0]),
            si_sdr_ci=interval(samples[:, 1]),
            n=len(values),
            bound=condition.bound,
            difference=None if base is None else metrics["sdri"] - base,
            difference_ci=None if base is None else interval(samples[:, 0] - samples[:, 2]),
            regret=None if self._oracle_sdri is None else self._oracle_sdri - metrics["sdri"],
            accuracy=float((best == best.index.map(runs)).mean()) if self.chooses_adapters(runs) else None,
            choices={str(run): int(n) for run, n in pd.Series(runs).value_counts().sort_index().items()},
            silent_level_db=None if np.isnan(level) else float(level),
        )


def _choices(items: Sequence[Item], scores: Any, models: Models) -> dict[str, Choice]:
    """What the policies may look at, for each item."""
    similarities = _by_adapter(scores["similarity"], models.bank.keys)
    # The published protocol of the oracle ranks adapters by this sum.
    sums = _by_adapter(scores["sdri"] + scores["si_sdr"], models.bank.keys)
    embeddings = models.encoder.embed_text([item.query for item in items])
    return {
        item.idx: Choice(embedding, models.bank, models.texts, similarities[item.idx], sums[item.idx])
        for item, embedding in zip(items, embeddings, strict=True)
    }


def _by_adapter(metric: Any, keys: Sequence[str]) -> dict[str, dict[str, float]]:
    """A metric of the adapters' outputs, in the order of the adapters: {item: {adapter: value}}, where it is known."""
    table = metric.unstack("run").reindex(columns=keys)
    return {
        idx: {key: value for key, value in row.items() if not np.isnan(value)}
        for idx, row in table.to_dict("index").items()
    }


def _domain(choice: Choice, query: str) -> str:
    """The domain with the query among its captions, else the nearest by text; empty without domains."""
    domains = choice.bank.domains
    if not domains:
        return ""
    key = next((key for key, domain in domains.items() if query in domain.captions), None)
    domain = domains[key or TextPolicy().choose(choice)]
    return f"{domain.id} {domain.name}"


def _breakdown(sdri: Any, labels: Sequence[str]) -> dict[str, Breakdown]:
    """The mean SDRi of each condition by the class or domain of the rows of :func:`sdri_table`, where they have one."""
    grouped = sdri.groupby(np.asarray(labels, dtype=object))
    means, sizes = grouped.mean(), grouped.size()
    return {name: Breakdown(int(sizes[name]), means.loc[name].to_dict()) for name in means.index if name}


def _confusion(runs: Runs, best: Runs) -> dict[str, dict[str, int]]:
    """How often each run was chosen where the oracle chooses each adapter: {chosen: {best: items}}."""
    chosen = pd.Series({idx: runs[idx] for idx in best}, name="chosen")
    counts = pd.Series(best, name="best").groupby(chosen).value_counts()
    return {
        str(run): {str(adapter): int(n) for adapter, n in row.droplevel(0).sort_index().items()}
        for run, row in counts.groupby(level=0)
    }
