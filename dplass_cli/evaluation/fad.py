"""Fréchet audio distance: how far the embeddings of one set of sounds lie from those of another.

Kilgour et al., "Fréchet Audio Distance: A Reference-Free Metric for Evaluating Music Enhancement Algorithms", 2019,
with a query encoder's embeddings in place of VGGish's. Values of different encoders cannot be compared.
"""

from __future__ import annotations

import numpy as np

from dplass_cli.evaluation.statistics import Values


def frechet_distance(first: Values, second: Values) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½) of embeddings (N, D) and (M, D), N and M at least 2.

    Zero where both have one mean and covariance. With fewer sounds than dimensions the covariances are of low rank and
    the distance is biased upwards; it is of use then only between sets of the same sizes.
    """
    means, covariances = zip(
        *((rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in (first, second)), strict=True
    )
    root = _root(covariances[0])
    # The eigenvalues of Σ₁Σ₂ are those of the symmetric Σ₁^½ Σ₂ Σ₁^½.
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ covariances[1] @ root), 0.0, None)).sum()
    distance = np.square(means[0] - means[1]).sum() + np.trace(covariances[0]) + np.trace(covariances[1]) - 2.0 * cross
    return float(max(distance, 0.0))


def _root(matrix: Values) -> Values:
    """The symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    root: Values = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root
