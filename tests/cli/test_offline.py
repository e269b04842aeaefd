"""No verb but ``weights fetch`` touches the network, and none imports wandb."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BLOCKED = """
import socket, sys
def refuse(*arguments, **named):
    raise AssertionError(f'the network was touched: {arguments}')
for name in ('connect', 'connect_ex', 'sendto'):
    setattr(socket.socket, name, refuse)
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse
sys.modules['wandb'] = None  # importing it fails
from dplass_cli.cli import app
def run(*arguments):
    try:
        app(list(arguments))
    except SystemExit as stop:
        assert stop.code in (0, None), (arguments, stop.code)
"""


def test_every_verb_runs_without_a_network(tmp_path: Path) -> None:
    """The quickstart goes through prepare-audioset, partition, train, evaluate and separate."""
    demo = tmp_path / "demo"
    small = "'--set', 'clips=2', '--set', 'steps=1', '--set', 'mixtures=8'"
    code = (
        f"run('quickstart', {str(demo)!r}, {small})\n"
        f"run('embed', {str(demo / 'train.json')!r}, '--output', {str(tmp_path / 'e')!r})\n"
        f"run('adapters', 'list', {str(demo / 'run' / 'bank')!r})\n"
        f"run('adapters', 'info', {str(demo / 'run' / 'bank' / 'domain0')!r})\n"
        "run('weights', 'list')\n"
        "assert 'laion_clap' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
