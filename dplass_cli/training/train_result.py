"""What ``train`` returns, prints with ``--json`` and keeps in ``trained.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Trained:
    """Outcome of one training: an adapter's, a whole network's or an encoder's.

    Attributes:
        epochs: completed epochs; one that ``max_steps`` cut short counts.
        steps: completed optimiser steps.
        best_sdri: validation SDRi of the best epoch in dB; None without validation.
        best_si_sdr: validation SI-SDR of the same epoch in dB; None without validation.
        best_epoch: its number, from 0; None without validation.
        validation_mixtures: number of validation mixtures; of an encoder, of validation clips.
        unreadable: {skipped file: reason}.
        items_per_s: mixtures, or clips, per second in the last epoch.
        loader_wait: share of the last epoch spent waiting for data, 0 to 1.
        pairs: pairs of a target and an unrelated clip that were drawn; with several processes, by the first one.
        near_pairs: those of them that ``data.semantic_filter`` rejected.
        near_pairs_mixed: near pairs that were mixed all the same, because no other was found.
        retrieval: of an encoder's best epoch, {map10, recall1, recall5, recall10: 0 to 1}; empty without validation.
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
    pairs: int = 0
    near_pairs: int = 0
    near_pairs_mixed: int = 0
    retrieval: dict[str, float] = field(default_factory=dict)

    @property
    def best_score(self) -> float | None:
        """What trainings are compared by: SDRi in dB, or mAP@10 of an encoder; None without validation."""
        return self.retrieval.get("map10", self.best_sdri)


@dataclass(frozen=True)
class PlannedJob:
    """What ``--dry-run`` says of one training.

    Attributes:
        name: such as ``domain3``, ``base``, ``student`` or ``encoder``.
        rows: training rows; of an encoder, training clips.
        validation_mixtures: number of validation mixtures; of an encoder, of validation clips.
        parameters: number of trainable parameters.
        steps_per_epoch: optimiser steps per epoch.
        steps: optimiser steps in all.
    """

    name: str
    rows: int
    validation_mixtures: int
    parameters: int
    steps_per_epoch: int
    steps: int


@dataclass(frozen=True)
class TrainResult:
    """Result of :func:`dplass_cli.pipelines.train.train`.

    Attributes:
        output: the bank folder, or the file of the whole network or encoder.
        domains: {domain: its outcome}, including domains that an earlier run in the same workspace finished.
        network: outcome of a whole network's or an encoder's training.
        skipped: domains without clips.
        plan: of a dry run, what would be trained.
    """

    output: Path
    domains: dict[int, Trained] = field(default_factory=dict)
    network: Trained | None = None
    skipped: tuple[int, ...] = ()
    plan: tuple[PlannedJob, ...] = ()
