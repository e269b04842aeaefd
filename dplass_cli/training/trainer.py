"""Training one job with Lightning: samples, loop, checkpoints, and the best weights exported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from dplass_cli.data.batches import EpochBatches
from dplass_cli.devices import under_srun
from dplass_cli.errors import InputError, RunError, first_line
from dplass_cli.storage import Progress, make_folder, write_json
from dplass_cli.training.callbacks.checkpoints import AtomicCheckpointIO, BestCheckpoints, LastCheckpoint
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, EpochReporter, no_report
from dplass_cli.training.callbacks.stopping import FinalValidation, Interruption, Patience
from dplass_cli.training.callbacks.tensorboard_examples import TensorBoardExamples, tensorboard_errors
from dplass_cli.training.hardware import lightning_devices, world_size
from dplass_cli.training.job import Job, Which
from dplass_cli.training.job_module import JobModule, NotFinite
from dplass_cli.training.module import SeparationModule
from dplass_cli.training.train_result import Trained
from dplass_cli.training.workspace import Workspace

if TYPE_CHECKING:
    import lightning
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment
    from lightning.pytorch.loggers import Logger

    from dplass_cli.options.train_options import TrainOptions


class JobTrainer:
    """Trains one job. Writes checkpoints, TensorBoard events, a text log and rows of ``metrics.csv``.

    ``module`` is the Lightning module of such jobs.

    Raises:
        InputError: Weights & Biases refuses the login, or the tasks of a SLURM job are not those of the training.
    """

    def __init__(
        self,
        job: Job,
        options: TrainOptions,
        progress: Progress,
        report: EpochReport = no_report,
        module: type[JobModule] = SeparationModule,
    ) -> None:
        self.job, self.settings, self.workspace = job, options.train, Workspace(options.workspace)
        settings = self.settings
        self._scores = module.scores
        self._folder = make_folder(self.workspace.checkpoints(job.name))
        self._interruption = Interruption()
        self._reporter = EpochReporter(self.workspace, job.name, progress, report)
        self._best = BestCheckpoints(self._folder, settings.save_top_k, partial(self._export, "best"))
        self._last = LastCheckpoint(self._folder / "last.ckpt", settings.save_step_frequency, self._interruption)
        try:
            self._trainer = self._make_trainer(lightning_devices(options))
        except (RuntimeError, ValueError) as error:  # how Lightning refuses the tasks of a SLURM job
            if "SLURM" not in str(error):
                raise
            raise InputError(
                f"--num-gpus, --num-nodes: {first_line(error)}; give srun --nodes and --ntasks-per-node accordingly"
            ) from error
        self._batches = EpochBatches(
            len(job.samples),
            settings.batch_size_per_device,
            self._trainer.global_rank,
            self._trainer.world_size,
            self._position,
        )
        self._module = module(job, self._batches, settings)

    def fit(self, resume: bool) -> Trained:
        """Train, export the best and the last weights, and leave the network at the best.

        Raises:
            InputError: the checkpoint belongs to a run with other settings.
            RunError: too many unreadable files, a loss that is not finite, a full disk; the last checkpoint is kept.
            KeyboardInterrupt: a stop was requested; the last checkpoint contains every completed step.
        """
        import lightning

        job, settings = self.job, self.settings
        lightning.seed_everything(settings.random_seed, workers=True, verbose=False)
        loader = job.loader(self._batches, settings.num_workers)
        validation = DataLoader(job.validation, settings.batch_size_per_device) if len(job.validation) else None
        checkpoint = self._last.path if resume and self._last.path.exists() else None
        try:
            with self._interruption.handlers_restored(), tensorboard_errors(self.workspace.folder):
                self._trainer.fit(self._module, loader, validation, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as stop:  # Lightning exits the process on KeyboardInterrupt
            raise KeyboardInterrupt from stop
        except NotFinite as stop:
            items = self.workspace.log(job.name).with_name(f"{job.name}_not_finite.json")
            write_json(items, [job.samples.describe(number) for number in stop.numbers])
            raise RunError(f"{stop}; {items} lists the items of its batch") from stop
        self._export("last")
        if self._best.kept:
            _restore(self._module, self._folder / self._best.kept[0].file)
        self._export("best")
        return self._trained()

    @torch.no_grad()
    def _export(self, which: Which) -> None:
        if self._trainer.is_global_zero:
            self.job.export(which, self._trained())

    def _trained(self) -> Trained:
        steps_per_epoch = math.ceil(self._trainer.num_training_batches / self.settings.accumulate)
        best = self._best.kept[0] if self._best.kept else None
        return Trained(
            epochs=math.ceil(self._trainer.global_step / steps_per_epoch),
            steps=self._trainer.global_step,
            best_epoch=best.epoch if best else None,
            validation_mixtures=len(self.job.validation),
            unreadable=dict(self._module.bad_files),
            items_per_s=self._reporter.items_per_s,
            loader_wait=self._reporter.loader_wait,
            **self._module.counts(),
            **self._module.outcome(dict(zip(self._scores, best.scores, strict=True)) if best else {}),
        )

    def _position(self) -> tuple[int, int]:
        """Where the loop is: (epoch, batch). After an epoch's last batch that is the start of the next epoch.

        The samples follow from it, so a resumed run needs no state of the loader.
        """
        loop: Any = self._trainer.fit_loop
        done = loop.epoch_loop.batch_progress.current.ready
        return loop.epoch_progress.current.processed, done if done < self._trainer.num_training_batches else 0

    def _make_trainer(self, devices: dict[str, Any]) -> lightning.Trainer:
        import lightning
        from lightning.pytorch.loggers import TensorBoardLogger

        job, settings = self.job, self.settings
        loggers: list[Logger] = [TensorBoardLogger(self.workspace.tensorboard, name=job.name, version="")]
        if settings.wandb_project:
            loggers.append(_weights_and_biases(settings.wandb_project, self.workspace.folder, job.name))
        return lightning.Trainer(
            **{**devices, "strategy": _strategy(job, devices)},
            precision=settings.precision,
            max_epochs=settings.max_epochs,
            max_steps=settings.max_steps,
            min_epochs=settings.min_epochs,
            limit_train_batches=settings.steps_per_epoch or None,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=settings.gradient_clip,
            sync_batchnorm=settings.sync_batchnorm and job.adapt_batchnorm and devices["accelerator"] == "gpu",
            logger=loggers,
            # In the order in which they run; Lightning moves Checkpoint callbacks behind the others. Rows are written
            # before checkpoints, so that no epoch that a checkpoint counts as completed lacks its row; the last
            # checkpoint comes last because it saves the state of all others.
            callbacks=[
                FinalValidation(),
                self._interruption,
                *([Patience(self._scores[0], settings.patience)] if settings.patience and len(job.validation) else []),
                TensorBoardExamples(job.samples.settings.sampling_rate),
                self._reporter,
                self._best,
                self._last,
            ],
            plugins=[AtomicCheckpointIO(), *_environment(devices)],
            default_root_dir=self._folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            log_every_n_steps=10,
        )


def _weights_and_biases(project: str, workspace: Path, name: str) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    try:
        from wandb.errors import Error
    except ImportError as error:
        raise InputError(
            f"train.wandb_project {project}: needs wandb, which is not installed; pip install wandb"
        ) from error

    logger = WandbLogger(project=project, name=f"{workspace.name}-{name}", save_dir=workspace)
    try:
        logger.experiment  # noqa: B018 (logs in now rather than in the middle of training)
    except Error as error:
        reason = str(error).rstrip(".")
        raise InputError(f"train.wandb_project {project}: {reason}; fix that, or leave the option out") from error
    return logger


def _environment(devices: Mapping[str, Any]) -> list[LightningEnvironment]:
    """The environment of a training whose processes Lightning starts; none where a launcher that it detects has.

    Without it, Lightning would take a platform's ``RANK``, or the tasks of a SLURM job that ``srun`` has not started,
    for processes of this training.
    """
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    if under_srun() or devices["num_nodes"] > 1 or torch.distributed.is_torchelastic_launched():
        return []
    if world_size(devices) == 1:
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
    return [LightningEnvironment()]


def _strategy(job: Job, devices: Mapping[str, Any]) -> str:
    """Lightning's strategy. DDP must know when some trainable parameter gets no gradient, or it would wait for it."""
    if world_size(devices) == 1:
        return str(devices["strategy"])
    trained = {name for name, parameter in job.network.named_parameters() if parameter.requires_grad}
    return "ddp_find_unused_parameters_true" if any(job.is_unread(name) for name in trained) else "ddp"


@torch.no_grad()
def _restore(module: JobModule, checkpoint: Path) -> None:
    """Copy a checkpoint's trained tensors into the module; it has no others, so they are copied by name."""
    state = torch.load(checkpoint, map_location=module.device, weights_only=True)["state_dict"]
    own = module.state_dict()
    for key, value in state.items():
        own[key].copy_(value)
