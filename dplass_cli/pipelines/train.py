"""``train``: one adapter per domain over a frozen base; or a whole base; or one student of many adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dplass_cli.adapters import AdapterSettings
from dplass_cli.data.data_settings import DataSettings
from dplass_cli.devices import process_rank
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30Config
from dplass_cli.pipelines.models import ModelOptions
from dplass_cli.storage import Progress, no_progress
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.run import TrainingRun, shortened
from dplass_cli.training.train_result import TrainResult
from dplass_cli.training.train_settings import TrainSettings

__all__ = ["TrainOptions", "TrainResult", "train"]


def _nothing() -> None:
    """Prepare nothing: the default of processes. Not a lambda, which cannot be sent to them."""


@dataclass(frozen=True)
class TrainOptions(ModelOptions):
    """Options of ``train``; the frozen base and its encoder as :class:`~dplass_cli.pipelines.models.ModelOptions`.

    Attributes:
        partition: the partition folder.
        workspace: folder of ``checkpoints/ logs/ tf_logs/ bank/``, ``config.yaml`` and ``metrics.csv``.
        what: ``adapters``, one a domain; ``base``, the whole network on all domains; ``distil``, a whole network that
            learns what the base does with each row's own adapter.
        domain: ``all``, or numbers separated by commas.
        adapters: the teachers of ``distil``; default as in the other verbs.
        network: ``base`` and ``distil`` train a fresh network of this width instead of going on from the base.
        adapter, data, train: settings of the method, of the samples, of the optimisation.
        cache: folder of audio embeddings that are taken and kept, where queries are audio; default in the workspace.
        device, num_gpus, num_nodes, strategy: where to train; ``num_gpus`` 0 takes one device, or where several GPUs
            are there and several domains asked for, one a domain. On a CPU it is a number of processes.
        parallel: domains that train side by side, each in a process of its own; 0: one a GPU where there are several.
        resume: go on where an earlier run in this workspace stopped; finished domains are kept.
        dry_run: only plan. fast_dev_run: a handful of batches through everything, in a sub-folder of the workspace.
    """

    partition: Path = field(metadata={"given": "--data (a partition folder)"})
    workspace: Path
    what: Literal["adapters", "base", "distil"] = "adapters"
    domain: str = "all"
    network: ResUNet30Config | None = None
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    cache: Path | None = None
    num_gpus: int = 0
    num_nodes: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    parallel: int = 0
    resume: bool = False
    dry_run: bool = False
    fast_dev_run: bool = False

    def __post_init__(self) -> None:
        for name, least in (("num_gpus", 0), ("num_nodes", 1), ("parallel", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.adapters and self.what != "distil":
            raise InputError(f"--adapters: with --what {self.what} there is nothing to learn from them; leave them out")


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
    if options.fast_dev_run:
        options = shortened(options)
    run = TrainingRun(options)
    if options.dry_run:
        return replace(run.result(), plan=run.plan())
    if process_rank() > 0:  # of several processes on one training, the first one owns the workspace
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
