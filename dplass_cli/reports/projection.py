"""Projections of features to two dimensions, for maps."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from threadpoolctl import threadpool_limits

from dplass_cli.domains.features import FloatArray
from dplass_cli.errors import InputError, first_line
from dplass_cli.options.partition_options import Projection

_MIN_POINTS = 8  # with fewer, neighbourhoods mean little
_PERPLEXITY = 30.0
_NEIGHBOURS = 15


def check_projection(projection: Projection) -> None:
    """Refuse a projection whose library is not installed, before there are points.

    Raises:
        InputError: UMAP is not installed.
    """
    if projection == "umap" and find_spec("umap") is None:
        raise InputError("--map umap needs umap-learn; install it with: pip install 'dplass[clusters]'")


def project(features: FloatArray, projection: Projection, seed: int) -> FloatArray:
    """Project features (C, D) to (C, 2), reproducibly.

    ``tsne`` is t-SNE (van der Maaten and Hinton, 2008; scikit-learn), ``umap`` is UMAP (McInnes et al., 2018), and
    ``pca`` takes the two directions of greatest variance, which the others do too for fewer than eight points.

    Raises:
        InputError: UMAP is not installed.
    """
    check_projection(projection)
    with threadpool_limits(limits=1):
        if projection == "pca" or len(features) < _MIN_POINTS:
            return _pca(features)
        return _tsne(features, seed) if projection == "tsne" else _umap(features, seed)


def _pca(features: FloatArray) -> FloatArray:
    from sklearn.decomposition import PCA

    count = min(2, len(features) - 1, features.shape[1])
    points = PCA(count, svd_solver="full").fit_transform(features) if count else np.zeros((len(features), 0))
    padded: FloatArray = np.pad(points, [(0, 0), (0, 2 - points.shape[1])])
    return padded


def _tsne(features: FloatArray, seed: int) -> FloatArray:
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
    start = _pca(features)
    start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4  # the scale that scikit-learn's own start has
    points = TSNE(perplexity=perplexity, init=start, learning_rate="auto", random_state=seed).fit_transform(features)
    return np.asarray(points, dtype=np.float64)


def _umap(features: FloatArray, seed: int) -> FloatArray:
    try:
        import umap
    except ImportError as error:
        raise InputError(f"--map umap: umap-learn does not start ({first_line(error)}); install it again") from error
    neighbours = min(_NEIGHBOURS, len(features) - 1)
    model = umap.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(features), dtype=np.float64)
