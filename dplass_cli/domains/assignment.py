"""Probabilities of domains for sentences, calibrated on the partition's own captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dplass_cli.domains.features import FloatArray, IntArray, similarities, text_features, unit
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.encoders.base import QueryEncoder

_MIN_TEMPERATURE, _MAX_TEMPERATURE = 1e-3, 1e1


@dataclass(frozen=True)
class AssignedSentence:
    """A sentence with its domain.

    Attributes:
        sentence: the sentence.
        domain: id of its most probable domain.
        name: name of that domain.
        probabilities: {domain id: probability}.
        nearest_caption: the caption of the partition that is most similar to it.
    """

    sentence: str
    domain: int
    name: str
    probabilities: dict[int, float]
    nearest_caption: str


def assign_to_domains(sentences: Sequence[str], partition: Partition, encoder: QueryEncoder) -> list[AssignedSentence]:
    """Assign sentences to domains by a calibrated softmax over the text centroids of its own encoder."""
    captions = [(caption, row) for row, domain in enumerate(partition.domains) for caption in domain.captions]
    centroids = partition.text_centroids.double().numpy()
    known = text_features([caption for caption, _ in captions], encoder)
    temperature = fit_temperature(known, np.array([row for _, row in captions]), centroids)
    embeddings = text_features(sentences, encoder)
    assigned = []
    for sentence, embedding, row in zip(
        sentences, embeddings, domain_probabilities(embeddings, centroids, temperature), strict=True
    ):
        best = partition.domains[int(row.argmax())]
        by_id = {domain.id: float(probability) for domain, probability in zip(partition.domains, row, strict=True)}
        nearest = captions[int((known @ embedding).argmax())][0]
        assigned.append(AssignedSentence(sentence, best.id, best.name, by_id, nearest))
    return assigned


def domain_probabilities(embeddings: FloatArray, centroids: FloatArray, temperature: float) -> FloatArray:
    """Return the softmax (N, K) of cosine / temperature, of unit embeddings (N, D) and unit centroids (K, D)."""
    # Not at the top: importing SciPy takes 0.2 s, and most policies need no calibration.
    from scipy.special import softmax

    probabilities: FloatArray = softmax(similarities(embeddings, centroids) / temperature, axis=1)
    return probabilities


def fit_temperature(embeddings: FloatArray, ids: IntArray, centroids: FloatArray) -> float:
    """Return the temperature that makes the domains of known captions most likely.

    This is temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017). Each caption is compared
    with the centroid of the other captions of its domain, as a new sentence would be.

    Args:
        embeddings: float64 (C, D), unit norm.
        ids: int64 (C,), the row of each caption's domain in ``centroids``.
        centroids: float64 (K, D), unit norm.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    cosines = similarities(embeddings, centroids)
    rows = np.arange(len(ids))
    sums = np.zeros_like(centroids)
    np.add.at(sums, ids, embeddings)
    others = np.einsum("nd,nd->n", embeddings, unit(sums[ids] - embeddings))
    # The caption of a single-caption domain has no others to be compared with, and says nothing about new sentences.
    cosines[rows, ids] = np.where(np.bincount(ids, minlength=len(centroids))[ids] > 1, others, 0.0)

    def negative_log_likelihood(logarithm: float) -> float:
        return -float(log_softmax(cosines / np.exp(logarithm), axis=1)[rows, ids].mean())

    bounds = np.log(_MIN_TEMPERATURE), np.log(_MAX_TEMPERATURE)
    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=bounds, method="bounded").x))
