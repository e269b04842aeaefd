"""The Lightning module of contrastive training: embed clips and captions, compare, and measure retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dplass_cli.data.batches import EpochBatches, TrainingLoader
from dplass_cli.encoders.clips import Clip
from dplass_cli.evaluation.retrieval import Retrieval, Vectors, evaluate_captions
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.training.contrastive.clip_samples import ClipBatch, ClipSamples, ValidationClips, collate_clips
from dplass_cli.training.contrastive.pairs import TrainedPair
from dplass_cli.training.job import Job
from dplass_cli.training.job_module import JobModule


@dataclass(frozen=True)
class ContrastiveJob(Job):
    """The training of an encoder.

    Attributes:
        hard_negatives: as in :func:`~dplass_cli.training.contrastive.info_nce.info_nce`.
        label_smoothing: as in :func:`~dplass_cli.training.contrastive.info_nce.info_nce`.
    """

    network: TrainedPair
    samples: ClipSamples
    validation: ValidationClips
    hard_negatives: float = 0.0
    label_smoothing: float = 0.0

    def loader(self, batches: EpochBatches, workers: int) -> TrainingLoader:
        return TrainingLoader(self.samples, batches, workers, collate_clips)


class ContrastiveModule(JobModule):
    """Trains a pair of encoders. Validation measures text-to-audio retrieval, as ``dplass retrieve --eval`` does."""

    scores = ("val_map10", "val_recall1", "val_recall5", "val_recall10")
    job: ContrastiveJob
    network: TrainedPair

    def __init__(self, job: ContrastiveJob, batches: EpochBatches, settings: TrainSettings) -> None:
        super().__init__(job, batches, settings)
        self._embedded: dict[Clip, Vectors] = {}

    @staticmethod
    def shown_score(score: float) -> str:
        return f"mAP@10 {score:.3f}"

    @staticmethod
    def outcome(scores: Mapping[str, float]) -> dict[str, Any]:
        return {"retrieval": {name.removeprefix("val_"): value for name, value in scores.items()}}

    def on_train_batch_start(self, batch: ClipBatch, index: int) -> None:
        """Seed dropout by the step, so that a resumed run draws as an uninterrupted one."""
        super().on_train_batch_start(batch, index)
        step = self.trainer.current_epoch * int(self.trainer.num_training_batches) + index
        torch.manual_seed((self.settings.random_seed << 20) + step * self.batches.world + self.batches.rank)

    def training_step(self, batch: ClipBatch, index: int) -> Tensor:
        """Embed the clips and captions of a batch, and return their loss."""
        self.check_loss()
        self.record_unreadable(batch.unreadable)
        pair = self.network
        audio = pair.audio(batch.audio)
        # In float32: sums over the words of a sentence lose too much in half precision.
        with torch.autocast(self.device.type, enabled=False):
            shaping = self.job.hard_negatives, self.job.label_smoothing
            loss = pair.loss(audio.float(), batch.captions, batch.positive, *shaping)
            loss = loss * self.batches.weight(index)
        self.record_loss(loss, batch.number)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: ClipBatch, index: int) -> None:
        average = self.network.average
        if average is not None and self.global_step > average.updates:  # not where batches are only accumulated
            average.update()

    def on_validation_epoch_start(self) -> None:
        self._embedded = {}

    def validation_step(self, batch: Tensor, index: int) -> None:
        """Embed a batch of validation clips, given by their places."""
        failed: dict[Clip, str] = {}
        clips = [self.job.validation.clips[place] for place in batch.tolist()]
        with torch.autocast(self.device.type, enabled=False), self.network.averaged():
            self._embedded |= self.network.embed(clips, failed)
        self.record_unreadable([(str(clip.wav), reason) for clip, reason in failed.items()])

    def on_validation_epoch_end(self) -> None:
        """Log mAP@10 and the recalls of the validation captions; without a readable clip there are none."""
        if not self._embedded:
            return
        captions = [self.job.validation.captions[clip] for clip in self._embedded]
        with torch.autocast(self.device.type, enabled=False), self.network.averaged():
            found = evaluate_captions(
                captions,
                np.stack(list(self._embedded.values())),
                lambda texts: self.network.encoder.embed_text(texts).numpy(),
            )
        for name, value in zip(self.scores, _scores(found), strict=True):
            self.log(name, value, rank_zero_only=False)


def _scores(found: Retrieval) -> tuple[float, ...]:
    return found.map10, *(found.recall[k] for k in (1, 5, 10))
