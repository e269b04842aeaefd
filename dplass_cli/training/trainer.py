"""One training: samples, loop, checkpoints, and the best weights out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dplass_cli.data.batches import EpochBatches, TrainingLoader
from dplass_cli.data.mixture_tables import Mixture, render
from dplass_cli.data.samples import TrainingSamples
from dplass_cli.errors import InputError, RunError
from dplass_cli.models.resunet30 import ResUNet30, is_unread
from dplass_cli.storage import Progress, make_folder, write_json
from dplass_cli.training.callbacks.checkpoints import (
    LAST,
    BestCheckpoints,
    Interruption,
    LastCheckpoint,
    Patience,
    ValidatedEnd,
    WholeFiles,
)
from dplass_cli.training.callbacks.reporting import EpochReport, EpochReporter, events_written, no_report
from dplass_cli.training.module import NotFinite, SeparationTraining, Teacher
from dplass_cli.training.train_settings import TrainSettings

_CACHED_MIB = 512  # of rendered validation mixtures


@dataclass(frozen=True)
class Hardware:
    """Where to train: Lightning's accelerator name, devices (their number, or which) and nodes, and the strategy."""

    accelerator: str = "auto"
    devices: int | list[int] = 1
    nodes: int = 1
    strategy: str = "auto"

    @property
    def world(self) -> int:
        """How many processes train together."""
        return self.nodes * (self.devices if isinstance(self.devices, int) else len(self.devices))


@dataclass(frozen=True)
class Trained:
    """What a training reached.

    Attributes:
        epochs, steps: done; an epoch that ``max_steps`` ended counts.
        best_sdri, best_si_sdr: of the best epoch by validation SDRi, dB; None without validation.
        best_epoch: its number, from 0.
        validation_mixtures: how many there are.
        unreadable: the skipped files and why.
        items_per_s, loader_wait: mixtures a second and the share of time spent waiting for them, in the last epoch.
    """

    epochs: int = 0
    steps: int = 0
    best_sdri: float | None = None
    best_si_sdr: float | None = None
    best_epoch: int | None = None
    validation_mixtures: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    items_per_s: float = 0.0
    loader_wait: float = 0.0


Export = Callable[[Literal["best", "last"], Trained], None]
"""Writes what the network has learnt by now."""


class ValidationMixtures(Dataset[dict[str, Any]]):
    """Validation mixtures with their queries' embeddings and domains; a few are kept in memory once they are mixed.

    Args:
        mixtures: {domain: its mixtures}.
        embeddings: {caption: float32 (D,)}.
        sample_rate: Hz.
    """

    def __init__(
        self, mixtures: Mapping[int, Sequence[Mixture]], embeddings: dict[str, Tensor], sample_rate: int
    ) -> None:
        self.items = [(domain, mixture) for domain, items in mixtures.items() for mixture in items]
        self.embeddings, self.sample_rate = embeddings, sample_rate
        self._rendered: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index in self._rendered:
            return self._rendered[index]
        domain, mixture = self.items[index]
        mixed, target = render(mixture, self.sample_rate)
        item = {
            "mixture": torch.from_numpy(mixed),
            "target": torch.from_numpy(target),
            "condition": self.embeddings[mixture.source.caption],
            "domain": domain,
        }
        if len(self._rendered) * 2 * mixed.nbytes < _CACHED_MIB * 2**20:
            self._rendered[index] = item
        return item


@dataclass(frozen=True)
class TrainingJob:
    """What is trained.

    Attributes:
        name: of its folders and rows, such as ``domain3``.
        network: what requires a gradient in it is trained.
        samples, validation: validation may be empty; then the last weights are the best.
        export: writes what has been learnt; called at every best epoch and at the end.
        moving_statistics, teacher: as :class:`~dplass_cli.training.module.SeparationTraining`.
    """

    name: str
    network: ResUNet30
    samples: TrainingSamples
    validation: ValidationMixtures
    export: Export
    moving_statistics: bool = False
    teacher: Teacher | None = None


def train_network(
    job: TrainingJob,
    settings: TrainSettings,
    hardware: Hardware,
    workspace: Path,
    resume: bool,
    progress: Progress,
    report: EpochReport = no_report,
) -> Trained:
    """Train a job's network and leave it at the best weights that validation saw.

    Writes ``checkpoints/{name}/``, ``tf_logs/{name}/``, ``logs/{name}.log`` and rows of ``metrics.csv``.

    Args:
        resume: go on from the last checkpoint where there is one.
        report: told the number of each epoch and its validation SDRi, in dB; may raise to end the run.

    Raises:
        InputError, RunError: as the training step; the last checkpoint is kept.
        KeyboardInterrupt: the run was asked to stop; the last checkpoint holds all its steps.
    """
    lightning.seed_everything(settings.random_seed, workers=True, verbose=False)
    folder = make_folder(workspace / "checkpoints" / job.name)
    interruption = Interruption()
    table = EpochReporter(workspace, job.name, job.samples.settings.sampling_rate, progress, report)
    best = BestCheckpoints(folder, settings.save_top_k, lambda: _export(job, "best", trainer, reached()))
    last = LastCheckpoint(folder / LAST, settings.save_step_frequency, interruption)
    stopping = [Patience(settings.patience)] if settings.patience and len(job.validation) else []
    trainer = _trainer(job, settings, hardware, workspace, [ValidatedEnd(), *stopping, table, best, last])

    def reached() -> Trained:
        kept = best.kept[0] if best.kept else None
        return Trained(
            epochs=math.ceil(trainer.global_step / math.ceil(trainer.num_training_batches / settings.accumulate)),
            steps=trainer.global_step,
            best_sdri=kept.sdri if kept else None,
            best_si_sdr=kept.si_sdr if kept else None,
            best_epoch=kept.epoch if kept else None,
            validation_mixtures=len(job.validation),
            unreadable=dict(module.bad_files),
            items_per_s=table.items_per_s,
            loader_wait=table.loader_wait,
        )

    def position() -> tuple[int, int]:
        """Where the loop stands: (epoch, batch); after an epoch's last batch that is the beginning of the next."""
        loop: Any = trainer.fit_loop
        done = loop.epoch_loop.batch_progress.current.ready
        return loop.epoch_progress.current.processed, done if done < trainer.num_training_batches else 0

    batches = EpochBatches(
        len(job.samples), settings.batch_size_per_device, trainer.global_rank, trainer.world_size, position
    )
    module = SeparationTraining(
        job.network, batches, settings, job.moving_statistics, job.teacher, job.samples.settings.max_bad_files
    )
    loader = TrainingLoader(job.samples, batches, settings.num_workers)
    validation = DataLoader(job.validation, settings.batch_size_per_device) if len(job.validation) else None
    checkpoint = last.path if resume and last.path.exists() else None
    try:
        with interruption.watched(), events_written(workspace):
            trainer.fit(module, loader, validation, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:  # what the trainer makes of an interrupt
        raise KeyboardInterrupt from stop
    except NotFinite as stop:
        place = workspace / "logs" / f"{job.name}_not_finite.json"
        write_json(place, [job.samples.describe(number) for number in stop.numbers])
        raise RunError(f"{stop}; the items of its batch are in {place}") from stop
    _export(job, "last", trainer, reached())
    if best.kept:
        _restore(module, folder / best.kept[0].name)
    _export(job, "best", trainer, reached())
    return reached()


def _trainer(
    job: TrainingJob, settings: TrainSettings, hardware: Hardware, workspace: Path, callbacks: list[Any]
) -> lightning.Trainer:
    loggers: list[Logger] = [TensorBoardLogger(workspace / "tf_logs", name=job.name, version="")]
    if settings.wandb_project:
        loggers.append(_weights_and_biases(settings.wandb_project, workspace, job.name))
    return lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy=_strategy(job, hardware),
        precision=settings.precision,
        max_epochs=settings.max_epochs,
        max_steps=settings.max_steps,
        min_epochs=settings.min_epochs,
        limit_train_batches=settings.steps_per_epoch or None,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.gradient_clip,
        sync_batchnorm=settings.sync_batchnorm and job.moving_statistics and hardware.accelerator == "gpu",
        logger=loggers,
        callbacks=callbacks,
        plugins=[WholeFiles()],
        default_root_dir=workspace / "checkpoints" / job.name,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )


def _weights_and_biases(project: str, workspace: Path, name: str) -> Logger:
    from wandb.errors import Error

    logger = WandbLogger(project=project, name=f"{workspace.name}-{name}", save_dir=workspace)
    try:
        logger.experiment  # noqa: B018 (it logs in, now rather than in the middle)
    except Error as error:
        said = str(error).rstrip(".")
        raise InputError(f"train.wandb_project {project}: {said}; mend that, or leave it out") from error
    return logger


def _strategy(job: TrainingJob, hardware: Hardware) -> str:
    """Several devices work under DDP; it is told of parameters that no forward reads, for which it would wait."""
    if hardware.world == 1:
        return hardware.strategy
    trained = {name for name, parameter in job.network.named_parameters() if parameter.requires_grad}
    return "ddp_find_unused_parameters_true" if any(is_unread(name) for name in trained) else "ddp"


@torch.no_grad()
def _export(job: TrainingJob, which: Literal["best", "last"], trainer: lightning.Trainer, reached: Trained) -> None:
    if trainer.is_global_zero:
        job.export(which, reached)


def _restore(module: SeparationTraining, checkpoint: Path) -> None:
    state = torch.load(checkpoint, map_location=module.device, weights_only=True)["state_dict"]
    own = module.state_dict()
    for key, value in state.items():
        own[key].copy_(value)
