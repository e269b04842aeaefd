"""Files shipped with the package."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from dplass_cli.resources import BUNDLED_MODELS, calibrations, page_template, resource, shipped, shown_hash


@pytest.mark.parametrize("name", ["assets/tiny/base.safetensors", "configs", "metadata/weights.yaml"])
def test_shipped_files_are_found(name: str) -> None:
    assert resource(name).exists()


def test_a_file_that_is_not_shipped_is_none() -> None:
    assert shipped("assets/huge.safetensors") is None


def test_a_page_escapes_what_is_inserted() -> None:
    page = page_template("report.html").render(
        title="<b>", verdict="", lead=["a & b"], facts=[], sections=[], version="1"
    )
    assert "<title>&lt;b&gt;</title>" in page
    assert "<p>a &amp; b</p>" in page


def test_a_page_without_one_of_its_values_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        page_template("report.html").render(title="x")


def test_the_models_of_version_0_1_are_recognised_by_their_hashes() -> None:
    fitted = dict(calibrations("presence.json"))
    assert set(fitted) == set(BUNDLED_MODELS) == {"tiny", "tiny-0.1"}
    assert shown_hash(fitted["tiny-0.1"]["base"]) == "92c5fe71dc71…, the bundled tiny-0.1"
    assert shown_hash(fitted["tiny"]["encoder"]).endswith("…, the bundled tiny")
    assert shown_hash("f" * 64) == "ffffffffffff…"
