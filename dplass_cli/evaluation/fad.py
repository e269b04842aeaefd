"""Fréchet audio distance: how far the embeddings of one set of sounds are from those of another.

Kilgour et al., "Fréchet Audio Distance: A Reference-Free Metric for Evaluating Music Enhancement Algorithms", 2019,
with the embeddings of a query encoder instead of VGGish's. Values of different encoders cannot be compared.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dplass_cli.audio.folders import audio_files
from dplass_cli.encoders import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.evaluation.statistics import Values
from dplass_cli.storage import Progress, no_progress


def embed_folder(
    folder: Path,
    encoder: QueryEncoder,
    cache: EmbeddingCache | None,
    failed: dict[str, str],
    progress: Progress = no_progress,
) -> Values:
    """Embed the sounds in a folder and below: float64 (N, D). ``failed`` becomes {file: why it cannot be read}.

    Raises:
        InputError: fewer than two sounds can be read.
    """
    reasons: dict[Clip, str] = {}
    clips = [Clip(path.absolute(), 0.0, None) for path in audio_files(folder)]
    vectors = [vector for _, vector in embed_clips(clips, encoder, cache, None, reasons, progress)]
    failed |= {str(clip.wav): reason for clip, reason in reasons.items()}
    if len(vectors) < 2:
        raise InputError(f"{folder}: {len(vectors)} readable sounds; a distance needs two or more")
    return np.stack(vectors).astype(np.float64)


def frechet_distance(first: Values, second: Values) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½) of embeddings (N, D) and (M, D), N and M at least 2.

    Zero if means and covariances are equal. With fewer sounds than dimensions the covariances have low rank and the
    distance is biased upwards; then compare only distances between sets of the same sizes.
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
