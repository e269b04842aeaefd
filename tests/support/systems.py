"""Marks of tests that need what not every operating system has; the reason says what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork, which Windows lacks")
needs_limits = pytest.mark.skipif(os.name == "nt", reason="needs the module resource, which Windows lacks")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
needs_shell_scripts = pytest.mark.skipif(os.name == "nt", reason="needs programs that are shell scripts")
needs_signals = pytest.mark.skipif(
    os.name == "nt", reason="Windows ends other processes without a signal that they could handle"
)

_NO_PRIVILEGE = 1314  # ERROR_PRIVILEGE_NOT_HELD in WinError.h: only administrators and developers may create links


def missing_privilege(error: BaseException) -> str | None:
    """Why a test that raised this is skipped: Windows refused a symbolic link; None for any other error."""
    refused = isinstance(error, OSError) and getattr(error, "winerror", None) == _NO_PRIVILEGE
    return "Windows allows symbolic links in developer mode only" if refused else None
