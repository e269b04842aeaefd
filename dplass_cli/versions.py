"""Versions of this package and of its dependencies, recorded in the files and reports it writes."""

from __future__ import annotations

import platform
from collections.abc import Iterable

__version__ = "0.2.0"


def versions(*packages: str) -> dict[str, str]:
    """Versions of this package, of Python, and of the given packages (default: those that results depend on)."""
    from importlib.metadata import version  # here, because its import takes longer than that of this package

    return {
        "dplass": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages or ("torch", "torchaudio", "numpy", "soundfile")},
    }


def unmet_requirements(requirements: Iterable[str]) -> list[str]:
    """Describe the requirements (such as ``numpy>=1.26,<3``) that are not met; those of extras are ignored."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    unmet = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            unmet.append(f"{requirement.name} is not installed")
        else:
            if not requirement.specifier.contains(installed, prereleases=True):
                unmet.append(f"{requirement.name} {installed}, not {requirement.specifier}")
    return unmet
