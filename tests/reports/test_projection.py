"""Maps of features: groups stay together, and the same features give the same map."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.domains.features import unit
from dplass_cli.options.partition_options import Projection
from dplass_cli.reports.projection import project


@pytest.mark.parametrize("projection", ["tsne", pytest.param("umap", marks=pytest.mark.slow), "pca"])
@pytest.mark.filterwarnings("ignore::Warning:(umap|numba|pynndescent)")
def test_groups_stay_together(projection: Projection) -> None:
    if projection == "umap":
        pytest.importorskip("umap")
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 12)
    features = unit(random.normal(size=(3, 20))[truth] + random.normal(0, 0.1, (36, 20)))
    points = project(features, projection, seed=1)
    assert points.shape == (36, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (truth[distances.argmin(axis=1)] == truth).all()
    np.testing.assert_array_equal(points, project(features, projection, seed=1))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_points_are_drawn_too(count: int) -> None:
    features = unit(np.random.default_rng(0).normal(size=(count, 5)))
    assert np.isfinite(project(features, "tsne", seed=0)).all()
