"""``dplass quickstart``: all five verbs on built-in sounds."""

from __future__ import annotations

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.quickstart_options import QuickstartOptions

interrupted = "finished steps are kept; run the same command again"


def command(options: QuickstartOptions, run: VerbRun) -> None:
    """Prepare, partition, train, evaluate and separate built-in sounds: a few minutes, offline, on any machine.

    Example: dplass quickstart demo
    """
    from dplass_cli.evaluation.table import policy_table
    from dplass_cli.pipelines.quickstart import quickstart

    result = quickstart(options, run.progress)
    policies = result.evaluated.scores.policies
    summary = {
        "folder": str(options.folder),
        "rows": result.prepared.rows,
        "domains": {d.id: d.name for d in result.partitioned.partition.domains},
        "trained": {domain: trained.steps for domain, trained in result.trained.domains.items()},
        "policies": policies,
        "separated": {"mixture": str(result.mixture), "target": str(result.target), "sdri": result.sdri},
    }
    title, default = "Built-in sounds, mixtures not trained on", result.evaluated.default
    run.result(summary, lambda: policy_table(title, policies, default=default).rich())
    run.note(f"Everything is in {options.folder}: train.json, partition/, run/bank/, evaluation/results/.")
    run.note(f"Listen: {result.mixture}, then {result.target} ({result.sdri:+.1f} dB), and the residual next to it.")
