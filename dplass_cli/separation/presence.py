"""Presence: whether a recording contains what a query describes, by embeddings of target and residual and by level."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dplass_cli.encoders import QueryEncoder
from dplass_cli.options.parse import from_mapping
from dplass_cli.resources import calibrations

CALIBRATION = "presence.json"
_QUIETEST_DB = -60.0
_SHORTEST_SECONDS = 1.0


@dataclass(frozen=True)
class Calibration:
    """The logistic regression of presence for one base and encoder, fitted by ``scripts/measure_queries.py``.

    Attributes:
        base: sha256 of the base.
        encoder: fingerprint of the encoder.
        similarity: weight of the target's similarity.
        residual_similarity: weight of the residual's similarity.
        level_db: weight of the level, per dB.
        bias: constant term.
    """

    base: str
    encoder: str
    similarity: float
    residual_similarity: float
    level_db: float
    bias: float


@dataclass(frozen=True)
class Presence:
    """How likely the recording contains what a query describes, in the window where that is most likely.

    Attributes:
        score: 0 to 1; a probability where calibrated.
        similarity: cosine of the query with the target's audio embedding.
        residual_similarity: cosine of the query with the residual's audio embedding.
        level_db: energy of the target relative to the recording's, dB, at least -60.
        calibrated: the score was fitted for this base and encoder, and for sentences, as this query is.
    """

    score: float
    similarity: float
    residual_similarity: float
    level_db: float
    calibrated: bool


def calibration_of(base: str, encoder: str) -> Calibration | None:
    """The calibration for a base and an encoder, by their hashes; None if there is none."""
    for name, fitted in calibrations(CALIBRATION):
        if (fitted["base"], fitted["encoder"]) == (base, encoder):
            return from_mapping(Calibration, fitted, f"{name}/{CALIBRATION}")
    return None


def presence(
    similarity: float, residual_similarity: float, level_db: float, calibration: Calibration | None
) -> Presence:
    """Compute the score.

    Without a calibration it is the geometric mean of similarity and relative amplitude: it has no constants that would
    be wrong for another encoder, grows with both and lies between 0 and 1, but is not a probability.
    """
    if level_db <= _QUIETEST_DB:
        score = 0.0
    elif calibration is None:
        score = math.sqrt(max(0.0, similarity) * min(1.0, 10.0 ** (level_db / 20.0)))
    else:
        logit = calibration.bias + calibration.similarity * similarity + calibration.level_db * level_db
        logit += calibration.residual_similarity * residual_similarity
        score = 1.0 / (1.0 + math.exp(-logit))
    return Presence(score, similarity, residual_similarity, level_db, calibration is not None)


class PresenceMeter:
    """Measures the presence of targets window by window and keeps the most likely window of each.

    Args:
        conditions: {name of a target: its query's embedding, float32 (D,)}.
        encoder: embeds targets and residuals.
        sample_rate: of mixtures and targets, Hz.
        calibration: for the base and encoder; None if there is none.
        uncalibrated: names of targets that the calibration was not fitted for.

    Attributes:
        found: {name of a target: its presence}.
    """

    def __init__(
        self,
        conditions: Mapping[str, Tensor],
        encoder: QueryEncoder,
        sample_rate: int,
        calibration: Calibration | None,
        uncalibrated: Collection[str] = (),
    ) -> None:
        self._conditions, self._encoder, self._sample_rate = conditions, encoder, sample_rate
        self._calibration, self._uncalibrated = calibration, uncalibrated
        self.found: dict[str, Presence] = {}

    @torch.inference_mode()
    def add(self, mixture: Tensor, targets: Mapping[str, Tensor]) -> None:
        """Add a window: the mixture and the targets by name, float32 (C, n)."""
        if self.found and mixture.shape[-1] < _SHORTEST_SECONDS * self._sample_rate:
            return
        for name, query in self._conditions.items():
            target = targets[name]
            sounds = torch.stack([target.mean(dim=0), (mixture - target).mean(dim=0)])
            target_similarity, residual_similarity = (
                self._encoder.embed_audio(sounds, self._sample_rate) @ query
            ).tolist()
            now = presence(target_similarity, residual_similarity, level_db(target, mixture), self._calibration)
            now = replace(now, calibrated=now.calibrated and name not in self._uncalibrated)
            if name not in self.found or now.score > self.found[name].score:
                self.found[name] = now


def level_db(target: Tensor, mixture: Tensor) -> float:
    """The energy of a target relative to its mixture's, dB, at least -60; -60 for silence."""
    energy, whole = float(target.double().square().sum()), float(mixture.double().square().sum())
    return max(_QUIETEST_DB, 10.0 * math.log10(energy / whole)) if energy > 0.0 and whole > 0.0 else _QUIETEST_DB
