"""Files shipped with the package."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from dplass_cli.resources import page_template, resource, shipped


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
