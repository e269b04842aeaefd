"""The version of this package, and of what it computes with: what files and pages say they were made by."""

from __future__ import annotations

import platform
from importlib.metadata import version

__version__ = "0.1.0"


def versions(*packages: str) -> dict[str, str]:
    """Versions of this package, of Python, and of packages that numbers depend on."""
    return {
        "dplass": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages or ("torch", "torchaudio", "numpy", "soundfile")},
    }
