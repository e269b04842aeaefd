"""The README's commands run, in their order, on what they speak of; runs are only shortened.

They run without a network: no verb but ``weights fetch`` touches it, and none imports wandb. ``serve``, which goes on
until it is ended, runs as a process of its own and is ended when its page is there.
"""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app

ROOT = Path(__file__).parents[1]
SHORTER = {
    "quickstart": ["--set", "clips=2", "--set", "steps=1", "--set", "mixtures=8"],
    "train": ["--max-steps", "1", "--set", "train.batch_size_per_device=2"],
    "evaluate": ["--limit", "8"],
}


def commands(text: str) -> list[str]:
    """The lines of the README's shell blocks."""
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def run(line: str, environment: dict[str, str]) -> None:
    words = [re.sub(r"\$(\w+)", lambda match: environment[match[1]], word) for word in shlex.split(line)]
    if words[1] == "serve":
        return serve(words[2:])
    done = CliRunner().invoke(app, words[1:] + SHORTER.get(words[1], []))
    assert done.exit_code == 0, f"{line}\n{done.output}"


def serve(options: list[str]) -> None:
    pytest.importorskip("uvicorn", reason="pip install 'dplass[serve]'")
    command = [sys.executable, "-m", "dplass_cli", "serve", *options, "--port", "0", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.match(r"http://127\.0\.0\.1:\d+ \(Ctrl-C ends it\)", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise AssertionError(f"the network was touched: {arguments}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it fails


def test_readme_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_data: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    lines = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [line.split()[0] for line in lines].count("dplass") == 23
    for line in lines:
        if line.startswith("dplass "):
            run(line, {"DATA": str(real_data)})
        elif line.startswith("grep "):  # the one line of plain shell: the ids of the folds to train on
            names = (real_data / "audioset_mini" / "ytid_map.csv").read_text().splitlines()[1:]
            ids = [name.split(",")[0] for name in names if ",4-" not in name]
            (tmp_path / "ids.txt").write_text("\n".join(ids) + "\n")
        else:
            assert re.match(r"bash scripts/(quickstart|test)\.sh", line), line
    assert (tmp_path / "out" / "4-191687-A-0_a_dog_barking.ogg").is_file()
    assert len((tmp_path / "train.json").read_text().split('"wav"')) - 1 == 484


def test_quickstart_without_the_real_clips(tmp_path: Path) -> None:
    folder = str(tmp_path / "demo")
    done = CliRunner().invoke(app, ["quickstart", folder, *SHORTER["quickstart"]])
    assert done.exit_code == 0, done.output
    assert "oracle (bound: sees the reference)" in done.stdout
    for name in ("train.json", "partition/partition.json", "run/bank/bank.json", "evaluation/results/results.json"):
        assert (tmp_path / "demo" / name).is_file()
    again = CliRunner().invoke(app, ["quickstart", folder])
    assert again.exit_code == 2
    assert "holds something already" in again.stderr
