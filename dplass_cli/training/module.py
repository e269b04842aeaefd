"""The Lightning module of separation: mix on the device, separate, compare. For adapters and for whole networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dplass_cli.audio.level import TRAINED_RANGE_DB, near_level
from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.mixer import mix
from dplass_cli.data.samples import Batch
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.models import BaseModel
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.training.job import TrainingJob
from dplass_cli.training.job_module import JobModule
from dplass_cli.training.losses import make_loss

SCORES = ("val_sdri", "val_si_sdr")
"""Names of the validation scores, dB, in Lightning's metrics and in ``metrics.csv``."""


class SeparationModule(JobModule):
    """Trains a separation network or an adapter on it.

    Attributes:
        pairs: int64 (3,), the sums of the batches' counts of pairs, on any device.
    """

    scores = SCORES
    job: TrainingJob
    network: BaseModel

    def __init__(self, job: TrainingJob, batches: EpochBatches, settings: TrainSettings) -> None:
        super().__init__(job, batches, settings)
        self.loss = make_loss(settings.loss_type)
        self.pairs = torch.zeros(3, dtype=torch.int64)
        self._scores: dict[int, Tensor] = {}  # {domain: (sum of SDRi, sum of SI-SDR, number of items)}

    @staticmethod
    def shown_score(score: float) -> str:
        return f"SDRi {score:.2f} dB"

    @staticmethod
    def outcome(scores: Mapping[str, float]) -> dict[str, Any]:
        return {"best_sdri": scores.get(SCORES[0]), "best_si_sdr": scores.get(SCORES[1])}

    def counts(self) -> dict[str, Any]:
        drawn, near, accepted = self.pairs.tolist()
        return {"pairs": drawn, "near_pairs": near, "near_pairs_mixed": accepted}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["dplass"]["pairs"] = self.pairs.tolist()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.pairs = torch.tensor(checkpoint["dplass"].get("pairs", (0, 0, 0)))  # version 0.1 had no counts

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Mix a batch, separate it, and return its loss."""
        self.check_loss()
        self.record_unreadable(batch.unreadable)
        self.pairs = self.pairs.to(batch.pairs.device, non_blocking=True) + batch.pairs.sum(dim=0)
        with torch.autocast(self.device.type, enabled=False):
            # Energies and peaks are those of all channels together.
            flat = batch.target.flatten(1), batch.interferers.flatten(2)
            mixed = self._heard(*mix(*flat, batch.gains_db, batch.noise_gain_db, batch.present))
            mixture, target = (_by_channel(audio, batch.target.shape[-1]) for audio in mixed)
        taught = None
        if self.job.teacher is not None:
            taught = self.job.teacher(mixture, batch.condition, batch.domain).float()
        estimate = self.network(mixture, batch.condition)
        with torch.autocast(self.device.type, enabled=False):
            losses = self._losses(estimate.float(), target, taught, mixture)
            loss = losses.mean() * self.batches.weight(index)
        self.record_loss(loss, batch.number)
        return loss

    def _losses(self, estimate: Tensor, target: Tensor, taught: Tensor | None, mixture: Tensor) -> Tensor:
        """The loss of each item, (B,); of a student, weighted between the teacher's output and the true target."""
        if taught is None:
            return self.loss(estimate, target, mixture)
        share, losses = self.job.target_share, self.loss(estimate, taught, mixture)
        return (1.0 - share) * losses + share * self.loss(estimate, target, mixture) if share else losses

    def _heard(self, mixture: Tensor, target: Tensor, range_db: float = TRAINED_RANGE_DB) -> tuple[Tensor, Tensor]:
        """Mixtures and their targets, float32 (B, C·T), within ``range_db`` of the network's input level."""
        config = self.network.config
        if config.input_level_db is None:
            return mixture, target
        offset, gain = near_level(mixture, config.sample_rate, config.input_level_db, range_db)
        return (mixture - offset) * gain, target * gain

    def on_validation_epoch_start(self) -> None:
        self._scores, self.examples = {}, []

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        """Score a batch of validation mixtures. Items with a silent target have no score."""
        length = batch["mixture"].shape[-1]
        mixture, target = self._heard(batch["mixture"].flatten(1), batch["target"].flatten(1), range_db=0.0)
        estimate = self.network(_by_channel(mixture, length), batch["condition"]).flatten(1).float()
        sdr, si_sdr = batch_scores(target, estimate)
        scores = torch.stack((sdr - batch_scores(target, mixture)[0], si_sdr, torch.ones_like(sdr)), dim=1)
        values = scores.float().to(target.device) * (target.abs().amax(dim=-1) > 0)[:, None]
        for domain, row in zip(batch["domain"].tolist(), values, strict=True):
            self._scores[domain] = self._scores.get(domain, torch.zeros_like(row)) + row
        for item in zip(mixture, target, estimate, strict=True):
            if len(self.examples) < self.settings.examples:
                self.examples.append(tuple(part.reshape(-1, length).mean(dim=0).cpu() for part in item))

    def on_validation_epoch_end(self) -> None:
        """Log the mean SDRi and SI-SDR in dB over all items with a target, and per domain; nan where there are none."""
        total = torch.stack(list(self._scores.values())).sum(dim=0)
        groups = {"": total}
        if len(self._scores) > 1:
            groups |= {f"/domain{domain}": sums for domain, sums in self._scores.items()}
        for group, sums in groups.items():
            for name, value in zip(SCORES, sums[:2] / sums[2], strict=True):
                self.log(f"{name}{group}", value, rank_zero_only=False)


def _by_channel(flat: Tensor, length: int) -> Tensor:
    """Audio (B, C·T), one channel after another, as (B, C, T)."""
    return flat.reshape(len(flat), -1, length)
