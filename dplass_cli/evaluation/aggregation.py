"""From rows an item and adapter to a line a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from dplass_cli.evaluation.evaluator import BASE
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies import Choice, Policy

METRICS = ("sdri", "si_sdr", "si_sdri", "sdr")


@dataclass(frozen=True)
class PolicyScore:
    """What a policy reached.

    Attributes:
        sdri, si_sdr, si_sdri, sdr: means over items, dB.
        n: items.
        bound: the policy looks at the true source: a bound, not a method.
        regret: the oracle's mean SDRi less this one's, dB; None without adapters.
        accuracy: the share of items for which it takes the oracle's adapter; None where it takes none.
        choices: how often each adapter was taken.
    """

    sdri: float
    si_sdr: float
    si_sdri: float
    sdr: float
    n: int
    bound: bool
    regret: float | None
    accuracy: float | None
    choices: dict[str, int]


def score_policies(
    policies: Sequence[Policy],
    rows: Sequence[Mapping[str, str]],
    embeddings: Mapping[str, Tensor],
    bank: AdapterBank,
    oracle: Policy,
) -> dict[str, PolicyScore]:
    """Let every policy choose for every item, and sum up the rows that it chose.

    Args:
        policies: what is asked for. oracle: what regret and accuracy are measured against.
        rows: one an item and adapter, as :data:`~dplass_cli.evaluation.evaluator.COLUMNS`.
        embeddings: {caption: float32 (D,)}.
        bank: the adapters that were run.
    """
    items: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in rows:
        items.setdefault(row["idx"], {})[row["adapter"]] = row
    candidates = [
        Choice(
            embeddings[by_adapter[BASE]["caption"]],
            bank,
            {k: float(row["sdri"]) + float(row["si_sdr"]) for k, row in by_adapter.items() if k != BASE},
        )
        for by_adapter in items.values()
    ]
    best = [oracle.choose(choice) for choice in candidates] if bank.keys else []
    best_sdri = _mean(items, best, "sdri") if bank.keys else None
    scores = {}
    for policy in policies:
        chosen = [policy.choose(choice) for choice in candidates]
        means = {metric: _mean(items, chosen, metric) for metric in METRICS}
        takes_adapters = any(key is not None for key in chosen)
        scores[policy.name] = PolicyScore(
            **means,
            n=len(items),
            bound=policy.uses_reference,
            regret=None if best_sdri is None else best_sdri - means["sdri"],
            accuracy=float(np.mean([a == b for a, b in zip(chosen, best, strict=True)])) if takes_adapters else None,
            choices={key or BASE: chosen.count(key) for key in sorted(set(chosen), key=str)},
        )
    return scores


def _mean(items: Mapping[str, Mapping[str, Mapping[str, str]]], chosen: Sequence[str | None], metric: str) -> float:
    values = [float(rows[key or BASE][metric]) for rows, key in zip(items.values(), chosen, strict=True)]
    return float(np.mean(values)) if values else float("nan")
