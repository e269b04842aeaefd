"""Versions that files and reports record."""

from __future__ import annotations

import platform
from importlib.metadata import version

from dplass_cli.versions import __version__, versions


def test_the_default_packages_are_those_that_results_depend_on() -> None:
    assert list(versions()) == ["dplass", "python", "torch", "torchaudio", "numpy", "soundfile"]


def test_given_packages_replace_the_default_ones() -> None:
    assert versions("scipy") == {
        "dplass": __version__,
        "python": platform.python_version(),
        "scipy": version("scipy"),
    }
