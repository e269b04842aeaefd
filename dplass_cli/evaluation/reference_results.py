"""Comparison of measured scores with published results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.scores import PolicyScore
from dplass_cli.evaluation.table import Figure, Table


@dataclass(frozen=True)
class ReferenceCheck:
    """A published number and the measured one.

    Attributes:
        benchmark: name of the benchmark.
        metric: ``SDRi`` or ``SI-SDR``.
        system: what was published.
        policy: the policy that compares with it.
        published: dB.
        measured: dB.
        tolerance: the largest difference that counts as a repetition, dB.
        within: the difference is within the tolerance, and the numbers of items are equal.
        verdict: the same in words.
        source: where the result was read.
    """

    benchmark: str
    metric: str
    system: str
    policy: str
    published: float
    measured: float
    tolerance: float
    within: bool
    verdict: str
    source: str


def check_reference_results(benchmark: Benchmark, policies: Mapping[str, PolicyScore]) -> list[ReferenceCheck]:
    """Compare a benchmark's published results with the policies that correspond to them, as far as these were run."""
    checks = []
    for result in benchmark.published:
        score = policies.get(result.policy)
        if score is None:
            continue
        comparable = score.n == benchmark.rows
        pairs = {"SDRi": (result.sdri, score.sdri), "SI-SDR": (result.si_sdr, score.si_sdr)}
        for metric, (published, measured) in pairs.items():
            difference = measured - published
            near = abs(difference) <= result.tolerance
            verdict = "within" if near else f"outside, by {difference:+.3f}"
            if not comparable:
                verdict = f"not comparable: {score.n} of {benchmark.rows} items"
            checks.append(
                ReferenceCheck(
                    benchmark=benchmark.name,
                    metric=metric,
                    system=result.system,
                    policy=result.policy,
                    published=published,
                    measured=measured,
                    tolerance=result.tolerance,
                    within=near and comparable,
                    verdict=verdict,
                    source=result.source,
                )
            )
    return checks


def check_table(checks: Sequence[ReferenceCheck]) -> Table:
    """The checks, a row each."""
    rows = [
        (
            f"{check.benchmark} {check.metric}",
            check.system,
            Figure(check.published, ".3f"),
            Figure(check.measured, ".3f"),
            Figure(check.tolerance),
            check.verdict,
        )
        for check in checks
    ]
    return Table("Published results", ("", "system", "published", "measured", "tolerance", "verdict"), rows, left=2)
