"""The environment of the command line's process: what torch and Lightning stumble over, and standard output."""

from __future__ import annotations

import atexit
import getpass
import io
import os
import shutil
import sys
import tempfile

_NUMBERS = (
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_PORT"),
    *("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
)


def write_any_character() -> None:
    """Let standard output show what its encoding lacks as an escape: a name that is not UTF-8, or text in ASCII."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


notes: list[str] = []
"""What :func:`complete_environment` has replaced, for the log."""


def complete_environment() -> None:
    """Unset numbers that are empty, and name a user who has no entry in the database of users, as in a container.

    Lightning reads an empty variable as a number, torch names its caches after the user, and matplotlib and numba,
    which some encoders and plots use, stop or warn where they cannot write below a home folder.
    """
    for name in _NUMBERS:
        if not os.environ.get(name, "set").strip():
            del os.environ[name]
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):  # Windows has neither that database nor numbers of users
        os.environ["USER"] = str(os.getuid()) if hasattr(os, "getuid") else "user"
    home = os.path.expanduser("~")  # noqa: PTH111 (Path raises an error where there is no home folder)
    if home == "~" or not os.access(home, os.W_OK | os.X_OK):
        for name in {"MPLCONFIGDIR", "NUMBA_CACHE_DIR"} - os.environ.keys():
            folder = tempfile.mkdtemp(prefix="dplass-cache-")  # not a name that others can take: caches are code
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            os.environ[name] = folder
            notes.append(f"{name}: {folder}, since the home folder cannot be written")
