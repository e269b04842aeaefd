"""``dplass train``: one adapter per domain over the frozen base; or a whole base, or a student of many adapters."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dplass_cli.cli.console import VerbRun, decibels, plain_table, quieten
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.training.audiosep_config import adopt as adopt  # read by app.py

if TYPE_CHECKING:
    from dplass_cli.training.train_result import Trained, TrainResult


interrupted = "run again with --resume to continue from the last checkpoint"


def command(options: TrainOptions, run: VerbRun) -> None:
    """Train one adapter for each domain of a partition.

    --what trains a whole network or a query encoder instead.
    An interrupted run (Ctrl-C, SIGTERM) saves and exits with code 3; --resume continues it, after a kill too.
    AudioSep's published audiosep_base.yaml is accepted as --config.

    Example: dplass train --data partition --workspace run --max-epochs 10
    """
    from dplass_cli.devices import process_rank
    from dplass_cli.pipelines.train import train

    result = train(options, run.progress, begin=partial(quieten, run.verbose))
    if process_rank(options.num_nodes) > 0:  # one of several processes of this run; the first one reports
        return
    run.result(result, lambda: _plan_table(result) if options.dry_run else _table(result))
    for skipped in result.skipped:
        run.note(f"domain {skipped} has no clips and was left out")
    for name, trained in _runs(result).items():
        for reason in trained.unreadable.values():
            run.note(f"{name}: skipped: {reason}")
        if trained.near_pairs:
            mixed = f"; {trained.near_pairs_mixed:,} were mixed because no other was found"
            run.note(
                f"{name}: data.semantic_filter rejected {trained.near_pairs:,} of {trained.pairs:,} pairs"
                f" ({trained.near_pairs / trained.pairs:.1%}), whose captions mean nearly the same"
                f"{mixed if trained.near_pairs_mixed else ''}"
            )


def _runs(result: TrainResult) -> dict[str, Trained]:
    """{name: what was trained}."""
    whole = {} if result.network is None else {result.output.stem: result.network}
    return {**{str(domain): trained for domain, trained in result.domains.items()}, **whole}


def _table(result: TrainResult) -> Any:
    if result.network is not None and result.network.retrieval:
        return _encoder_table(result, result.network)
    rows = [
        [
            name,
            trained.epochs,
            trained.steps,
            decibels(trained.best_sdri),
            decibels(trained.best_si_sdr),
            len(trained.unreadable),
            f"{trained.items_per_s:.1f}",
        ]
        for name, trained in _runs(result).items()
    ]
    columns = [
        "domain", "epochs", "steps", "best validation SDRi (dB)", "SI-SDR (dB)", "unreadable files", "items/s"
    ]  # fmt: skip
    what = "a network" if result.output.suffix else "a bank of adapters"
    return plain_table(columns, rows, f"{result.output}: {what}")


def _encoder_table(result: TrainResult, trained: Trained) -> Any:
    found = trained.retrieval
    recall = (f"{found[f'recall{k}']:.1%}" for k in (1, 5, 10))
    counts = (trained.epochs, trained.steps, trained.validation_mixtures)
    row = [*counts, *recall, f"{found['map10']:.3f}", len(trained.unreadable), f"{trained.items_per_s:.1f}"]
    columns = ["epochs", "steps", "validation clips", "R@1", "R@5", "R@10", "mAP@10", "unreadable files", "items/s"]
    return plain_table(columns, [row], f"{result.output}: an encoder, its best epoch", left=0)


def _plan_table(result: TrainResult) -> Any:
    columns = ["to train", "rows", "validation mixtures", "parameters", "steps per epoch", "steps"]
    rows = [
        [
            job.name,
            *(f"{n:,}" for n in (job.rows, job.validation_mixtures, job.parameters, job.steps_per_epoch, job.steps)),
        ]
        for job in result.plan
    ]
    return plain_table(columns, rows, f"{result.output}: nothing is written yet")
