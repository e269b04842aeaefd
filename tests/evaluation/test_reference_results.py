"""Measured scores against published results."""

from __future__ import annotations

import pytest
from made_scores import policy_score

from dplass_cli.evaluation.benchmarks import find_benchmark
from dplass_cli.evaluation.reference_results import check_reference_results, check_table

ESC50 = find_benchmark("esc50")  # AudioSep: SDRi 10.04, SI-SDR 8.81, tolerance 0.05


def test_a_repetition_is_within_the_tolerance() -> None:
    checks = check_reference_results(ESC50, {"base": policy_score(sdri=10.07, si_sdr=8.82, n=2000)})
    assert [(check.metric, check.within, check.verdict) for check in checks] == [
        ("SDRi", True, "within"),
        ("SI-SDR", True, "within"),
    ]


@pytest.mark.parametrize(("sdri", "verdict"), [(10.14, "outside, by +0.100"), (9.94, "outside, by -0.100")])
def test_a_difference_beyond_the_tolerance_is_stated(sdri: float, verdict: str) -> None:
    check = check_reference_results(ESC50, {"base": policy_score(sdri=sdri, n=2000)})[0]
    assert (check.within, check.verdict) == (False, verdict)


def test_a_part_of_the_items_is_not_comparable() -> None:
    check = check_reference_results(ESC50, {"base": policy_score(sdri=10.04, n=50)})[0]
    assert (check.within, check.verdict) == (False, "not comparable: 50 of 2000 items")


def test_only_the_policy_that_a_result_belongs_to_is_compared() -> None:
    assert check_reference_results(ESC50, {"text": policy_score(sdri=10.04, n=2000)}) == []


def test_the_table_has_a_row_per_check() -> None:
    table = check_table(check_reference_results(ESC50, {"base": policy_score(sdri=10.07, si_sdr=8.81, n=2000)}))
    assert list(map(str, table.rows[0])) == ["esc50 SDRi", "AudioSep", "10.040", "10.070", "0.05", "within"]
