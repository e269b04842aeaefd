"""Versions of this package and of its dependencies, recorded in the files and reports it writes."""

from __future__ import annotations

import platform
from importlib.metadata import version

__version__ = "0.1.0"


def versions(*packages: str) -> dict[str, str]:
    """Versions of this package, of Python, and of the given packages (default: those that results depend on)."""
    return {
        "dplass": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages or ("torch", "torchaudio", "numpy", "soundfile")},
    }
