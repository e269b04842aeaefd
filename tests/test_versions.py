"""Versions that files and reports record."""

from __future__ import annotations

import platform
from importlib.metadata import version

from dplass_cli.versions import __version__, unmet_requirements, versions


def test_the_default_packages_are_those_that_results_depend_on() -> None:
    assert list(versions()) == ["dplass", "python", "torch", "torchaudio", "numpy", "soundfile"]


def test_given_packages_replace_the_default_ones() -> None:
    assert versions("scipy") == {
        "dplass": __version__,
        "python": platform.python_version(),
        "scipy": version("scipy"),
    }


def test_requirements_that_are_not_met_are_described() -> None:
    unmet = unmet_requirements(["numpy>=1", "numpy>=99", "no-such-package-xyz", 'tomli-w>=9; extra == "dev"'])
    assert unmet == [f"numpy {version('numpy')}, not >=99", "no-such-package-xyz is not installed"]
