"""``train``: one adapter per domain over a frozen base; or a whole base; or one student of many adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dplass_cli.devices import process_rank
from dplass_cli.extras import require_extra
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.storage import Progress, no_progress
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.train_result import TrainResult
from dplass_cli.training.training_run import TrainingRun, shortened


def _nothing() -> None:
    """Prepare nothing: the default of processes. Not a lambda, which cannot be sent to them."""


def train(
    options: TrainOptions,
    progress: Progress = no_progress,
    report: EpochReport = no_report,
    begin: Callable[[], None] = _nothing,
) -> TrainResult:
    """Train adapters and write them as a bank, or train a network and write it as a file.

    Args:
        options: what to train, on what, where.
        progress: receives steps.
        report: receives each epoch's number and validation SDRi; may raise to end the run.
        begin: called first in processes that train domains in parallel; must be importable.

    Raises:
        InputError: bad options, partition, base or encoder; or another run is using the workspace.
        RunError: training could not go on.
    """
    require_extra("train", "train")
    if options.fast_dev_run:
        options = shortened(options)
    run = TrainingRun(options)
    if options.dry_run:
        return replace(run.result(), plan=run.plan())
    if process_rank(options.num_nodes) > 0:  # of several processes on one training, the first one owns the workspace
        run.train(run.unfinished(), progress, report)
        return run.result()
    with run.workspace.lock(), run.workspace.claim(options, options.resume):
        devices = run.devices()
        if len(devices) > 1:
            run.train_in_processes(devices, begin, progress)
        else:
            run.train(run.unfinished(), progress, report)
        run.write_banks()  # each of the parallel processes described only its own adapter
        return run.result()
