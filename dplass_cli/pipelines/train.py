"""``train``: one adapter per domain over a frozen base; a whole base; one student of many adapters; or an encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dplass_cli.devices import process_rank
from dplass_cli.extras import require_extra
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.storage import Progress, no_progress
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.contrastive.encoder_run import EncoderRun
from dplass_cli.training.train_result import TrainResult
from dplass_cli.training.training_run import TrainingRun, resumed, shortened


def _nothing() -> None:
    """Prepare nothing: the default of processes. Not a lambda, which cannot be sent to them."""


def train(
    options: TrainOptions,
    progress: Progress = no_progress,
    report: EpochReport = no_report,
    begin: Callable[[], None] = _nothing,
) -> TrainResult:
    """Train adapters and write them as a bank, or train a network or an encoder and write it as a file.

    Args:
        options: what to train, on what, where.
        progress: receives steps.
        report: receives each epoch's number and first validation score; may raise to end the run.
        begin: called first in processes that train domains in parallel; must be importable.

    Raises:
        InputError: bad options, partition, manifest, base or encoder; or another run is using the workspace.
        RunError: training could not go on.
    """
    require_extra("train", "train")
    if options.fast_dev_run:
        options = shortened(options)
    elif options.resume:
        options = resumed(options)
    run = EncoderRun(options) if options.what == "encoder" else TrainingRun(options)
    if options.dry_run:
        return replace(run.result(), plan=run.plan())
    if process_rank(options.num_nodes) > 0:  # of several processes on one training, the first one owns the workspace
        run.train(run.unfinished(), progress, report)
        return run.result()
    with run.workspace.lock(), run.workspace.claim(options, options.resume, run.inputs()):
        run.train_unfinished(begin, progress, report)
        return run.result()
