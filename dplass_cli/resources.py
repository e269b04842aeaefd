"""Files that are shipped with the package: bundled weights, configurations, tables."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path | None:
    """Return the path of a file or folder that may be shipped, or None."""
    # ``configs`` and ``metadata`` stand beside the package in a checkout and inside it in an installed wheel.
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    return None


def resource(name: str) -> Path:
    """Return the path of a shipped file or folder, such as ``assets/tiny`` or ``configs/tiny.yaml``."""
    path = shipped(name)
    assert path is not None, f"{name} is not part of this installation"
    return path
