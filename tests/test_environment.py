"""Environments with gaps, as in containers and on clusters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.name == "nt", reason="needs the module pwd, which Windows lacks")
def test_users_without_an_entry_and_empty_numbers_are_no_obstacle() -> None:
    """In another process, because torch and Lightning read the environment when they are imported."""
    names = ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    code = (
        "import pwd\n"
        "def getpwuid(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = getpwuid\n"
        "from dplass_cli.environment import complete_environment\n"
        "complete_environment()\n"
        "import dplass_cli.training.trainer\n"
        "from torch._inductor.runtime.cache_dir_utils import default_cache_dir\n"
        "print(default_cache_dir())\n"
        "from dplass_cli.resources import default_folder\n"
        "try: default_folder()\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "RANK": "", "WORLD_SIZE": "", "SLURM_NTASKS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cache, error = done.stdout.splitlines()
    assert cache.endswith(f"torchinductor_{os.getuid()}")
    assert error == "HOME is not set and this user has no home folder; set DPLASS_HOME to a folder"


def test_caches_of_libraries_are_temporary_where_the_home_folder_cannot_be_written(tmp_path: Path) -> None:
    code = (
        "import os, logging\n"
        "os.access = lambda path, mode: False\n"  # root may write anywhere
        "from dplass_cli import environment\n"
        "environment.complete_environment()\n"
        "print(os.environ['MPLCONFIGDIR'], os.environ['NUMBA_CACHE_DIR'], len(environment.notes))\n"
    )
    kept = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "MPLCONFIGDIR": "/mine"},
        capture_output=True,
        text=True,
        check=True,
    )
    matplotlib, numba, notes = done.stdout.split()
    assert (matplotlib, notes) == ("/mine", "1")
    assert Path(numba).parent == tmp_path
    assert list(tmp_path.iterdir()) == []  # removed at the end
