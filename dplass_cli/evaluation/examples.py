"""Examples to listen to: the worst and the best items under one condition, separated again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dplass_cli.audio.reading import Audio
from dplass_cli.evaluation.aggregation import sdri_table
from dplass_cli.evaluation.conditions import BASE, Condition
from dplass_cli.evaluation.evaluation_run import EvaluateResult
from dplass_cli.evaluation.evaluator import plan_runs, separate_item
from dplass_cli.evaluation.items import Item, load_item
from dplass_cli.evaluation.scores import Scores
from dplass_cli.separation.loading import Models


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
