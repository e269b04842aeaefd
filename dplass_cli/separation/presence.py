"""Whether a recording holds what a query asks for: heard in the target, in what it leaves, and by its level."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dplass_cli.encoders import QueryEncoder
from dplass_cli.options.parse import from_mapping
from dplass_cli.resources import resource
from dplass_cli.storage import read_json

CALIBRATION = "assets/tiny/presence.json"
_QUIETEST_DB = -60.0
_SHORTEST_SECONDS = 1.0


@dataclass(frozen=True)
class Calibration:
    """The logistic regression of presence for one base and encoder, fitted by ``scripts/measure_queries.py``.

    Attributes:
        base, encoder: sha256 of the base and fingerprint of the encoder.
        similarity, residual_similarity, level_db, bias: the weights of what :class:`Presence` says.
    """

    base: str
    encoder: str
    similarity: float
    residual_similarity: float
    level_db: float
    bias: float


@dataclass(frozen=True)
class Presence:
    """How likely it is that the recording holds what a query asks for; of the window where it is likeliest.

    Attributes:
        score: 0 to 1; a probability where it is calibrated.
        similarity, residual_similarity: cosine of the query with what is heard in the target and in what it leaves.
        level_db: energy of the target over that of the recording, dB, at least -60.
        calibrated: the score was fitted for this base and encoder, and the query is a sentence, as there.
    """

    score: float
    similarity: float
    residual_similarity: float
    level_db: float
    calibrated: bool


def calibration_of(base: str, encoder: str) -> Calibration | None:
    """The calibration of a base and an encoder by their hashes; None where there is none."""
    found = from_mapping(Calibration, read_json(resource(CALIBRATION)), CALIBRATION)
    return found if (found.base, found.encoder) == (base, encoder) else None


def presence(
    similarity: float, residual_similarity: float, level_db: float, calibration: Calibration | None
) -> Presence:
    """Make a score of what was heard.

    Without a calibration it is the geometric mean of similarity and relative amplitude: it has no constants that
    another encoder could make wrong, grows with both and lies between 0 and 1, but is no probability.
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
    """Listens to targets window by window, and keeps of each the window where it is likeliest.

    Args:
        conditions: {name of a target: its query's embedding (D,)}. sample_rate: of what it listens to, Hz.
        calibration: of the base and encoder. others: names of targets that it was not fitted for.
    """

    def __init__(
        self,
        conditions: Mapping[str, Tensor],
        encoder: QueryEncoder,
        sample_rate: int,
        calibration: Calibration | None,
        others: Collection[str] = (),
    ) -> None:
        self._conditions, self._encoder, self._sample_rate = conditions, encoder, sample_rate
        self._calibration, self._others = calibration, others
        self.found: dict[str, Presence] = {}

    @torch.inference_mode()
    def hear(self, mixture: Tensor, targets: Mapping[str, Tensor]) -> None:
        """Listen to a window: the mixture and the targets by their names, float32 (C, n)."""
        if self.found and mixture.shape[-1] < _SHORTEST_SECONDS * self._sample_rate:
            return
        for name, query in self._conditions.items():
            target = targets[name]
            sounds = torch.stack([target.mean(dim=0), (mixture - target).mean(dim=0)])
            heard, left = (self._encoder.embed_audio(sounds, self._sample_rate) @ query).tolist()
            now = presence(heard, left, level_db(target, mixture), self._calibration)
            now = replace(now, calibrated=now.calibrated and name not in self._others)
            if name not in self.found or now.score > self.found[name].score:
                self.found[name] = now


def level_db(target: Tensor, mixture: Tensor) -> float:
    """The energy of a target over that of its mixture, dB, at least -60; also where there is nothing at all."""
    energy, whole = float(target.double().square().sum()), float(mixture.double().square().sum())
    return max(_QUIETEST_DB, 10.0 * math.log10(energy / whole)) if energy > 0.0 and whole > 0.0 else _QUIETEST_DB
