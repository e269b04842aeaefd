"""Comparing what was measured with what others have published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.scores import PolicyScore


@dataclass(frozen=True)
class ReferenceCheck:
    """A published figure beside the measured one, in dB.

    Attributes:
        within: the measured one is as near as ``tolerance``, and of as many items.
        verdict: the same in words.
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


def check_reference_results(
    name: str, benchmark: Benchmark, policies: Mapping[str, PolicyScore]
) -> list[ReferenceCheck]:
    """Compare a benchmark's published figures with the policies that they belong to; policies not run are left out."""
    checks = []
    for figure in benchmark.published:
        score = policies.get(figure.policy)
        if score is None:
            continue
        for metric, published, measured in (
            ("SDRi", figure.sdri, score.sdri),
            ("SI-SDR", figure.si_sdr, score.si_sdr),
        ):
            comparable = score.n == benchmark.rows
            near = abs(measured - published) <= figure.tolerance
            verdict = "within" if near else f"without, by {measured - published:+.3f}"
            if not comparable:
                verdict = f"not comparable: {score.n} of {benchmark.rows} items"
            checks.append(
                ReferenceCheck(
                    name,
                    metric,
                    figure.system,
                    figure.policy,
                    published,
                    measured,
                    figure.tolerance,
                    near and comparable,
                    verdict,
                    figure.source,
                )
            )
    return checks
