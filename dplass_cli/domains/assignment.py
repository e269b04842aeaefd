"""Which domain a sentence belongs to, with probabilities that the partition's own captions have calibrated."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from dplass_cli.domains.features import FloatArray, IntArray, similarities, unit

_COLDEST, _HOTTEST = 1e-3, 1e1


def domain_probabilities(embeddings: FloatArray, centroids: FloatArray, temperature: float) -> FloatArray:
    """Softmax of the cosines of unit embeddings (N, D) with unit centroids (K, D), over a temperature: (N, K)."""
    probabilities: FloatArray = softmax(similarities(embeddings, centroids) / temperature, axis=1)
    return probabilities


def fit_temperature(embeddings: FloatArray, ids: IntArray, centroids: FloatArray) -> float:
    """The temperature under which known captions are likeliest in their domains (Guo et al., "On Calibration of Modern
    Neural Networks", 2017).

    Each caption is compared with its domain's centroid without it, as a new sentence would be.

    Args:
        embeddings: float64 (C, D), unit norm. ids: int64 (C,), rows of ``centroids`` (K, D).
    """
    cosines = similarities(embeddings, centroids)
    rows = np.arange(len(ids))
    sums = np.zeros_like(centroids)
    np.add.at(sums, ids, embeddings)
    others = np.einsum("nd,nd->n", embeddings, unit(sums[ids] - embeddings))
    # A domain of one caption has nothing else to be known by; its caption tells nothing of new ones.
    cosines[rows, ids] = np.where(np.bincount(ids, minlength=len(centroids))[ids] > 1, others, 0.0)

    def negative_log_likelihood(logarithm: float) -> float:
        return -float(log_softmax(cosines / np.exp(logarithm), axis=1)[rows, ids].mean())

    found = minimize_scalar(negative_log_likelihood, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))
