"""From item scores to scores of conditions: bounds, silence, pairing, breakdowns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from made_scores import item, known, score

from dplass_cli.evaluation.aggregation import Known, score_conditions
from dplass_cli.evaluation.benchmarks import Aggregation
from dplass_cli.evaluation.conditions import Condition
from dplass_cli.evaluation.items import Item
from dplass_cli.evaluation.scores import ItemScore, Scores
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import make_policy

RUNS = ("base", "domain0", "domain1", "domain2")
QUERIES = ("dog bark", "rain", "siren", "flute", "owl hoot", "helicopter")
DOMAIN = {"dog bark": 0, "owl hoot": 0, "rain": 1, "helicopter": 1, "siren": 2, "flute": 2}
ITEMS = [item(str(number), QUERIES[number % 6], QUERIES[number % 6]) for number in range(12)]
NAMES = ("base", "text", "audio", "single:1", "oracle")


def random_scores(seed: int = 0) -> Known:
    generator = np.random.default_rng(seed)
    return known(
        *(
            score(one.idx, run, sdri, si_sdr=si_sdr, similarity=similarity)
            for one in ITEMS
            for run, (sdri, si_sdr, similarity) in zip(RUNS, generator.normal(5.0, 2.0, (4, 3)), strict=True)
        )
    )


def scored(
    models: Models,
    scores: Known,
    names: Sequence[str] = NAMES,
    items: Sequence[Item] = ITEMS,
    rule: Aggregation = "mean",
) -> Scores:
    return score_conditions([Condition(make_policy(name)) for name in names], items, scores, models, rule)


def test_oracle_is_an_upper_bound_of_single_adapters(small_models: Models) -> None:
    """By the score that it maximises; by SDRi alone another adapter can be better."""
    for seed in range(5):
        scores = scored(small_models, random_scores(seed))
        oracle = scores.policies["oracle"]
        for single in scores.adapters.values():
            assert single["sdri"] + single["si_sdr"] <= oracle.sdri + oracle.si_sdr
        for name in ("text", "audio", "single:1"):
            assert scores.policies[name].sdri + scores.policies[name].si_sdr <= oracle.sdri + oracle.si_sdr


def test_the_oracle_takes_the_largest_sum_of_sdri_and_si_sdr(small_models: Models) -> None:
    rows = [score("0", "domain0", 6.0, si_sdr=1.0), score("0", "domain1", 5.0, si_sdr=2.0), score("0", "domain2", 4.0)]
    scores = scored(small_models, known(*rows), ("oracle",), ITEMS[:1])
    assert scores.chosen["oracle"] == {"0": "domain2"}  # 4 + 4
    assert scores.policies["oracle"].sdri == 4.0
    assert scores.policies["oracle"].bound


def test_the_base_can_exceed_the_oracle(small_models: Models) -> None:
    rows = [score("0", "base", 9.0), *(score("0", run, 1.0) for run in RUNS[1:])]
    policies = scored(small_models, known(*rows), ("base", "oracle"), ITEMS[:1]).policies
    assert policies["base"].sdri > policies["oracle"].sdri
    assert policies["base"].regret == -8.0


def test_audio_takes_the_output_that_is_most_similar_to_the_query(small_models: Models) -> None:
    similarities = dict(zip(RUNS, (0.9, 0.1, 0.8, 0.3), strict=True))  # the base is not a choice
    rows = [score("0", run, 1.0, similarity=value) for run, value in similarities.items()]
    assert scored(small_models, known(*rows), ("audio",), ITEMS[:1]).chosen["audio"] == {"0": "domain1"}


def test_text_takes_the_domain_of_the_query(small_models: Models) -> None:
    chosen = scored(small_models, random_scores(), ("text", "oracle")).chosen["text"]
    assert chosen == {one.idx: f"domain{DOMAIN[one.query]}" for one in ITEMS}


def test_regret_and_accuracy_are_measured_against_the_oracle(small_models: Models) -> None:
    scores = scored(small_models, random_scores())
    policies, best = scores.policies, scores.chosen["oracle"]
    assert (policies["oracle"].regret, policies["oracle"].accuracy) == (0.0, 1.0)
    for name in ("text", "audio", "single:1"):
        assert policies[name].regret == pytest.approx(policies["oracle"].sdri - policies[name].sdri)
        hits = [scores.chosen[name][idx] == run for idx, run in best.items()]
        assert policies[name].accuracy == pytest.approx(sum(hits) / len(hits))
    assert policies["base"].accuracy is None  # takes no adapter


def test_without_every_adapter_there_is_no_oracle_to_compare_with(small_models: Models) -> None:
    rows = [
        one for one in random_scores().values() if one.run in ("base", f"domain{DOMAIN[ITEMS[int(one.idx)].query]}")
    ]
    scores = scored(small_models, known(*rows), ("base", "text"))
    assert (scores.policies["text"].regret, scores.policies["text"].accuracy) == (None, None)
    assert scores.adapters == {}
    assert scores.confusion == {}


def test_without_the_base_there_is_no_difference(small_models: Models) -> None:
    rows = [one for one in random_scores().values() if one.run != "base"]
    score_of_text = scored(small_models, known(*rows), ("text",)).policies["text"]
    assert (score_of_text.difference, score_of_text.difference_ci) == (None, None)


def test_intervals_are_paired(small_models: Models) -> None:
    """Items differ by tens of dB, adapter and base by exactly one: the interval of the difference has no width."""
    levels = np.random.default_rng(3).normal(0.0, 20.0, len(ITEMS))
    rows: list[ItemScore] = []
    for one, level in zip(ITEMS, levels.tolist(), strict=True):
        rows += [score(one.idx, "base", level), score(one.idx, "domain1", level + 1.0)]
    policy = scored(small_models, known(*rows), ("base", "single:1")).policies["single:1"]
    assert policy.difference_ci == pytest.approx((1.0, 1.0))
    assert policy.sdri_ci[1] - policy.sdri_ci[0] > 5.0


def test_the_base_differs_from_itself_by_nothing(small_models: Models) -> None:
    base = scored(small_models, random_scores()).policies["base"]
    assert (base.difference, base.difference_ci) == (0.0, (0.0, 0.0))


def test_a_silent_reference_counts_in_no_mean(small_models: Models) -> None:
    scores = dict(random_scores())
    without = scored(small_models, {pair: one for pair, one in scores.items() if pair[0] != "4"}, items=ITEMS[:4])
    for run in RUNS:
        scores["4", run] = score("4", run, None, similarity=0.9, level_db=-20.0)
    silent = scored(small_models, scores, items=ITEMS[:5])
    assert silent.silent == ["4"]
    for name in NAMES:
        before, after = without.policies[name], silent.policies[name]
        assert (after.n, after.sdri, after.sdri_ci) == (4, before.sdri, before.sdri_ci)
        assert (after.regret, after.accuracy) == (before.regret, before.accuracy)
        assert before.silent_level_db is None
    assert silent.classes == without.classes
    assert silent.policies["text"].silent_level_db == -20.0
    assert silent.policies["oracle"].silent_level_db is None  # cannot choose there
    assert "4" not in silent.chosen["oracle"]


def test_only_silent_references_give_no_numbers(small_models: Models) -> None:
    rows = [score("0", run, None, level_db=-6.0) for run in RUNS]
    base = scored(small_models, known(*rows), ("base", "text"), ITEMS[:1]).policies["base"]
    assert base.n == 0
    assert np.isnan([base.sdri, *base.sdri_ci]).all()
    assert base.silent_level_db == -6.0


@pytest.mark.parametrize(
    ("rule", "expected"), [("mean", 4.0), ("mean-of-class-means", 10 / 3), ("mean-of-class-medians", 2.5)]
)
def test_items_are_aggregated_by_the_rule_of_the_benchmark(
    small_models: Models, rule: Aggregation, expected: float
) -> None:
    items = [item("0", group="a"), item("1", group="a"), item("2", group="a"), item("3", group="b")]
    rows = known(*(score(str(idx), "base", value) for idx, value in enumerate((1.0, 3.0, 10.0, 2.0))))
    assert scored(small_models, rows, ("base",), items, rule).policies["base"].sdri == pytest.approx(expected)


def test_a_metric_that_was_not_computed_is_nan(small_models: Models) -> None:
    base = scored(small_models, known(score("0", "base", 1.0)), ("base",), ITEMS[:1]).policies["base"]
    assert np.isnan([base.bss_sdr, base.similarity]).all()


def test_breakdowns_hold_the_mean_over_their_items(small_models: Models) -> None:
    scores = random_scores()
    result = scored(small_models, scores)
    expected = np.mean([scores[idx, "base"].sdri for idx in ("1", "7")])
    assert result.classes["rain"].n == 2
    assert result.classes["rain"].sdri["base"] == pytest.approx(expected)
    assert [domain.n for domain in result.domains.values()] == [4, 4, 4]
    assert list(result.domains["1 rain"].sdri) == list(NAMES)


def test_confusion_counts_choices_against_the_oracle(small_models: Models) -> None:
    scores = scored(small_models, random_scores())
    pairs = [(run, scores.chosen["oracle"][idx]) for idx, run in scores.chosen["text"].items()]
    counts = {(taken, best): n for taken, row in scores.confusion["text"].items() for best, n in row.items()}
    assert counts == {pair: pairs.count(pair) for pair in set(pairs)}
    assert "base" not in scores.confusion


def test_choices_are_counted(small_models: Models) -> None:
    policies = scored(small_models, random_scores()).policies
    assert policies["text"].choices == {"domain0": 4, "domain1": 4, "domain2": 4}
    assert policies["base"].choices == {"base": 12}


def test_a_refined_condition_is_scored_by_its_own_run(small_models: Models) -> None:
    rows = known(score("0", "base", 1.0), score("0", "base+residual", 3.0))
    conditions = [Condition(make_policy("base")), Condition(make_policy("base"), refine=True)]
    policies = score_conditions(conditions, ITEMS[:1], rows, small_models, "mean").policies
    assert [(name, one.sdri, one.difference) for name, one in policies.items()] == [
        ("base", 1.0, 0.0),
        ("base+residual", 3.0, 2.0),
    ]
