"""Training one domain's adapter: samples, loop, checkpoints, and the best adapter out."""

from __future__ import annotations

import csv
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dplass_cli.data.mixtures import Mixture, render
from dplass_cli.data.samples import EpochNumbers, TrainingSamples, collate
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.storage import Progress, make_folder, write_rows
from dplass_cli.training.module import SeparationTraining
from dplass_cli.training.settings import TrainSettings

_METRICS = ("run", "epoch", "step", "train_loss", "val_sdri", "learning_rate", "unreadable")


@dataclass(frozen=True)
class Hardware:
    """Where to train: Lightning's accelerator name, devices and nodes, and how they share the work."""

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"


@dataclass(frozen=True)
class Trained:
    """What a training reached: epochs and steps done, the best validation SDRi in dB, and the skipped files."""

    epochs: int
    steps: int
    best_sdri: float | None
    unreadable: dict[str, str]


class ValidationMixtures(Dataset[dict[str, Any]]):
    """The validation mixtures of a domain, each with the number of its query's embedding."""

    def __init__(self, mixtures: Sequence[Mixture], queries: dict[str, int], sample_rate: int) -> None:
        self.mixtures, self.queries, self.sample_rate = mixtures, queries, sample_rate

    def __len__(self) -> int:
        return len(self.mixtures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        mixture = self.mixtures[index]
        mixed, target = render(mixture, self.sample_rate)
        return {"mixture": mixed, "target": target, "query": self.queries[mixture.source.caption]}


def train_network(
    network: ResUNet30,
    embeddings: Tensor,
    samples: TrainingSamples,
    validation: ValidationMixtures,
    settings: TrainSettings,
    hardware: Hardware,
    workspace: Path,
    name: str,
    resume: bool,
    progress: Progress,
    moving_statistics: bool = False,
) -> Trained:
    """Train what is trainable of a network and leave it at the best weights that validation saw.

    Writes ``checkpoints/{name}/``, ``tf_logs/{name}/``, ``logs/{name}.log`` and rows of ``metrics.csv``.

    Args:
        embeddings: float32 (N, D), the query embeddings that samples and validation point into.
        validation: may be empty: then the last weights are the best.
        resume: go on from the last checkpoint where there is one.
        moving_statistics: as :class:`~dplass_cli.training.module.SeparationTraining`.

    Raises:
        InputError, RunError: as the training step; the last checkpoint is kept.
    """
    lightning.seed_everything(settings.random_seed, workers=True, verbose=False)
    checkpoints = make_folder(workspace / "checkpoints" / name)
    last = checkpoints / "last.ckpt"
    module = SeparationTraining(network, embeddings, settings, moving_statistics, samples.settings.max_bad_files)
    best = ModelCheckpoint(
        checkpoints,
        filename="best",
        monitor="val_sdri" if len(validation) else None,
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    table = MetricsTable(workspace, name, progress)
    trainer = lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy=hardware.strategy,
        precision=settings.precision,
        max_epochs=settings.max_epochs,
        max_steps=settings.max_steps,
        # An epoch longer than the whole run would end without validation.
        limit_train_batches=settings.max_steps if settings.max_steps > 0 else None,
        gradient_clip_val=settings.gradient_clip,
        logger=TensorBoardLogger(workspace / "tf_logs", name=name, version=""),
        callbacks=[table, best, LastCheckpoint(last)],
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    loaders = _loaders(samples, validation, settings, trainer)
    try:
        trainer.fit(module, *loaders, ckpt_path=last if resume and last.exists() else None, weights_only=True)
    except SystemExit as stop:  # what the trainer makes of an interrupt, after it has switched further ones off
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from stop
    if len(validation) and best.best_model_path:
        _restore(module, Path(best.best_model_path))
    reached = None if best.best_model_score is None else float(best.best_model_score)
    return Trained(trainer.current_epoch, trainer.global_step, reached, dict(module.bad_files))


def _loaders(
    samples: TrainingSamples, validation: ValidationMixtures, settings: TrainSettings, trainer: lightning.Trainer
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    batch = settings.batch_size_per_device
    common: dict[str, Any] = {"num_workers": settings.num_workers, "persistent_workers": settings.num_workers > 0}
    numbers = EpochNumbers(len(samples), trainer.global_rank, trainer.world_size)
    training = DataLoader(samples, batch, sampler=numbers, collate_fn=collate, **common)
    return training, DataLoader(validation, batch)


def _restore(module: SeparationTraining, checkpoint: Path) -> None:
    state = torch.load(checkpoint, map_location=module.device, weights_only=True)["state_dict"]
    own = module.state_dict()
    for key, value in state.items():
        own[key].copy_(value)


class LastCheckpoint(Checkpoint):
    """Replaces ``last.ckpt`` after every epoch, whole or not at all.

    It stands after the best checkpoint's callback, whose state it saves too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Save everything that a resumed run needs."""
        written = self.path.with_suffix(".new")
        trainer.save_checkpoint(written, False)  # not the weights only: the optimiser and the loop too
        if trainer.is_global_zero:
            written.replace(self.path)


class MetricsTable(lightning.Callback):
    """Writes a row an epoch to ``metrics.csv``, a line to the run's text log, and reports progress."""

    def __init__(self, workspace: Path, name: str, progress: Progress) -> None:
        self.table, self.log_file = workspace / "metrics.csv", workspace / "logs" / f"{name}.log"
        self.name, self.progress = name, progress
        make_folder(self.log_file.parent)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Report progress in steps."""
        if trainer.is_global_zero:
            total = int(trainer.estimated_stepping_batches)
            self.progress(trainer.global_step, total, f"{self.name}: loss {float(outputs['loss']):.4f}")

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Write the epoch's row."""
        if not trainer.is_global_zero:
            return
        metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}
        row = {
            "run": self.name,
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train_loss": f"{metrics.get('train_loss_epoch', np.nan):.6g}",
            "val_sdri": f"{metrics.get('val_sdri', np.nan):.4f}",
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.3g}",
            "unreadable": len(module.bad_files),
        }
        write_rows(self.table, _METRICS, [*self._kept(trainer.current_epoch), row])
        with open(self.log_file, "a", encoding="utf-8") as stream:
            stream.write(" ".join(f"{key}={value}" for key, value in row.items()) + "\n")

    def _kept(self, epoch: int) -> list[dict[str, Any]]:
        """The table's rows but those of epochs that this run does again."""
        if not self.table.is_file():
            return []
        with open(self.table, encoding="utf-8", newline="") as stream:
            return [row for row in csv.DictReader(stream) if row["run"] != self.name or int(row["epoch"]) < epoch]
