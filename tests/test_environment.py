"""Environments with gaps, as in containers and on clusters."""

from __future__ import annotations

import os
import subprocess
import sys


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
        "from dplass_cli.weights.known_files import default_folder\n"
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
