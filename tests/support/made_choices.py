"""Choices for selection policies, made by hand: three domains in a plane."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from dplass_cli.separation.policies import Choice

KEYS = ["domain0", "domain1", "domain2"]
CENTROID_DEGREES = (0.0, 90.0, 180.0)
CAPTION_DEGREES = {"domain0": (0.0, 60.0), "domain1": (70.0, 80.0, 110.0), "domain2": (180.0,)}


def points(*degrees: float) -> Any:
    """Unit vectors of a plane, float64 (N, 2)."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def choice(query_degrees: float = 0.0, gains_db: tuple[float, ...] = (0.0, 0.0, 0.0), **seen: Any) -> Choice:
    """What a policy sees of a query in a direction.

    Args:
        query_degrees: direction of the query.
        gains_db: cross-validated gains of the three adapters.
        seen: similarities or scores.
    """
    texts = SimpleNamespace(
        keys=KEYS,
        centroids=points(*CENTROID_DEGREES),
        captions=points(*(degrees for of_domain in CAPTION_DEGREES.values() for degrees in of_domain)),
        owners=np.repeat(np.arange(3), [len(of_domain) for of_domain in CAPTION_DEGREES.values()]),
        probabilities=lambda query: dict(zip(KEYS, (0.7, 0.2, 0.1), strict=True)),
    )
    domains = {key: SimpleNamespace(sdri_gain_db=gain) for key, gain in zip(KEYS, gains_db, strict=True)}
    bank: Any = SimpleNamespace(keys=KEYS, domains=domains)
    angle = math.radians(query_degrees)
    made: Any = texts
    return Choice(torch.tensor([math.cos(angle), math.sin(angle)]), bank, made, **seen)
