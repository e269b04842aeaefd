"""Plots of a partition: they depend on what they show, and captions are no formulas."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from dplass_cli.domains.features import CaptionFeatures
from dplass_cli.domains.partition_folder import Domain
from dplass_cli.domains.quality import Quality
from dplass_cli.reports.partition_plots import map_picture, quality_picture, similarity_picture, sizes_picture

CAPTIONS = ("bark", "growl", "$x_ and rain", "wind")
DOMAINS = (Domain(0, "Bark, growl", CAPTIONS[:2], 5), Domain(1, "$x_ and rain", CAPTIONS[2:], 3))
FEATURES = CaptionFeatures(CAPTIONS, np.array([3, 2, 2, 1]), np.eye(4), np.eye(4))
POINTS = np.array([[0.0, 0.0], [0.1, 0.2], [1.0, 1.0], [1.1, 0.8]])
IDS = np.array([0, 0, 1, 1])


def height(picture: bytes) -> int:
    """Height of a PNG in pixels."""
    return int(Image.open(io.BytesIO(picture)).size[1])


def test_the_map_shows_where_captions_are_and_to_which_domain_they_belong() -> None:
    shown = map_picture(FEATURES, POINTS, IDS, DOMAINS, "map")
    assert shown == map_picture(FEATURES, POINTS, IDS, DOMAINS, "map")
    assert shown != map_picture(FEATURES, POINTS, IDS[::-1].copy(), DOMAINS, "map")


def test_a_domain_without_captions_is_in_the_legend_of_the_map() -> None:
    empty = (*DOMAINS, Domain(2, "Nothing", (), 0))
    assert map_picture(FEATURES, POINTS, IDS, empty, "map") != map_picture(FEATURES, POINTS, IDS, DOMAINS, "map")


@pytest.mark.parametrize("draw", [sizes_picture, lambda domains: similarity_picture(domains, np.eye(len(domains)))])
def test_a_picture_grows_with_the_number_of_domains(draw: Callable[[Sequence[Domain]], bytes]) -> None:
    assert height(draw(DOMAINS * 4)) > height(draw(DOMAINS))


def test_a_heat_map_shows_its_cosines() -> None:
    near, far = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([[1.0, 0.1], [0.1, 1.0]])
    assert similarity_picture(DOMAINS, near) != similarity_picture(DOMAINS, far)


def test_the_chosen_number_of_domains_is_marked() -> None:
    rows = [Quality(count, 0.1 * count, 1.0 / count, 0.5, 0.9, 0.8) for count in (2, 3, 4)]
    assert quality_picture(rows, 2) != quality_picture(rows, 3)


def test_numbers_of_domains_that_were_not_judged_leave_gaps() -> None:
    rows = [Quality(2, 0.3, 1.0, 0.5, 0.9, 0.8), Quality(3, None, None, None), Quality(4, 0.4, 0.9, 0.4, 0.9, 0.7)]
    assert height(quality_picture(rows, 4)) > 0
