"""The commands of the README and of ``docs/`` run, in their order, on what they speak of; runs are only shortened.

By the info string of a block: ``sh`` and ``python`` run; ``bash`` needs published weights, a cluster or a network, so
its commands are parsed and not run, as are the lines after ``$`` in ``console``; all else is output or a file.

They run without a network: no verb but ``weights fetch`` touches it, and none imports wandb. ``serve``, which goes on
until it is ended, runs as a process of its own and is ended when its page is there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_lines import understood
from typer.testing import CliRunner

from dplass_cli.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHORTER = {
    "quickstart": ["--set", "clips=2", "--set", "steps=1", "--set", "mixtures=8"],
    "train": ["--max-steps", "1", "--set", "train.batch_size_per_device=2", "--set", "train.num_workers=0"],
    "evaluate": ["--limit", "4"],
}
NEEDED = {"export": "onnxscript"}  # extras of pages
ELSEWHERE = {"extending"}  # its recipes are run by tests/test_extending.py


def blocks(page: Path) -> list[tuple[str, str]]:
    """A page's blocks: (info string, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """The lines of the page's shell blocks that run."""
    return [line for info, block in blocks(page) if info == "sh" for line in block.splitlines() if line]


def run(line: str, environment: dict[str, str], demo: Path) -> None:
    words = [re.sub(r"\$(\w+)", lambda match: environment[match[1]], word) for word in shlex.split(line)]
    if words[1:2] == ["serve"]:
        return serve(words[2:])
    if words[1:2] == ["quickstart"]:
        copy(demo, Path(words[2]))
        return None
    done = CliRunner().invoke(app, words[1:] + (SHORTER.get(words[1], []) if words[1:] else []))
    assert done.exit_code == 0, f"{line}\n{done.output}"


def copy(demo: Path, folder: Path) -> Path:
    """Another such folder, at once: whole files are never written into, so that links do."""
    return Path(shutil.copytree(demo, folder, copy_function=os.link))


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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``dplass quickstart`` leaves, of fewer clips and steps; not to be changed."""
    folder = tmp_path_factory.mktemp("quickstart") / "demo"
    done = CliRunner().invoke(app, ["quickstart", str(folder), *SHORTER["quickstart"]])
    assert done.exit_code == 0, done.output
    assert "oracle (bound: sees the reference)" in done.stdout
    return folder


def test_readme_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_data: Path, demo: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    lines = commands(ROOT / "README.md")
    assert [line.split()[0] for line in lines].count("dplass") == 23
    for line in lines:
        if line.startswith("dplass "):
            run(line, {"DATA": str(real_data)}, demo)
        elif line.startswith("grep "):  # the one line of plain shell: the ids of the folds to train on
            names = (real_data / "audioset_mini" / "ytid_map.csv").read_text().splitlines()[1:]
            ids = [name.split(",")[0] for name in names if ",4-" not in name]
            (tmp_path / "ids.txt").write_text("\n".join(ids) + "\n")
        else:
            assert re.match(r"bash scripts/(quickstart|test)\.sh", line), line
    for info, block in blocks(ROOT / "README.md"):
        if info == "python":
            exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "out" / "4-191687-A-0_a_dog_barking.ogg").is_file()
    assert len((tmp_path / "train.json").read_text().split('"wav"')) - 1 == 484


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of PyTorch's export to ONNX
@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: Path) -> None:
    """Pages stand in the quickstart's folder; the first one makes it."""
    live = [(info, block) for info, block in blocks(page) if info in ("sh", "python")]
    if not live or page.stem in ELSEWHERE:
        pytest.skip("a page without commands, or run elsewhere")
    pytest.importorskip(NEEDED.get(page.stem, "dplass_cli"))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    if page.stem != "start":
        monkeypatch.chdir(copy(demo, tmp_path / "demo"))
    names: dict[str, Any] = {}
    for info, block in live:
        if info == "python":
            exec(compile(block, str(page), "exec"), names)
            continue
        for line in block.splitlines():
            if line.startswith("cd "):
                monkeypatch.chdir(line[3:])
            elif line.split()[0] == "dplass":
                run(line, {}, demo)
            else:
                assert line.split()[0] in ("mkdir", "cp"), f"{line}: other commands are marked bash"
                subprocess.run(["bash", "-c", line], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_names_only_what_exists(page: Path) -> None:
    """Of what is not run: every verb and option is understood. Of links: there is such a file, and such a heading."""
    for info, block in blocks(page):
        if info in ("bash", "console") and page.stem not in ELSEWHERE:
            for line in block.splitlines():
                called = re.search(r"(?:dplass|-m dplass_cli) ([^']*)", line) if _calls(line, info) else None
                if called:
                    understood("dplass " + re.sub(r"\$\w+", "0", called[1]))
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            place, _, heading = link.partition("#")
            target = (page.parent / place).resolve() if place else page
            assert target.exists(), f"{page.name}: no {link}"
            assert not heading or heading in _headings(target), f"{page.name}: no heading {link}"


def _calls(line: str, info: str) -> bool:
    return not line.startswith("#") and (info == "bash" or line.startswith("$ "))


def _headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_quickstart_without_the_real_clips(demo: Path) -> None:
    for name in ("train.json", "partition/partition.json", "run/bank/bank.json", "evaluation/results/results.json"):
        assert (demo / name).is_file()
    again = CliRunner().invoke(app, ["quickstart", str(demo)])
    assert again.exit_code == 2
    assert "is not empty" in again.stderr
