"""The commands of the README and of ``docs/`` run, in their order.

They are only shortened (``SHORTER``): fewer clips, steps, mixtures and domains. The quickstart trains all seven
domains. The first export writes the bundled base, the second a small one.

The info string of a block decides. ``sh`` and ``python`` run, on built-in sounds. ``bash`` needs published weights, a
cluster or a network, so its commands are only parsed, as are the lines after ``$`` in ``console``. All other blocks are
output or files. The ``sh`` blocks of the worked example run if real clips are next to the checkout; elsewhere they are
parsed.

They run without a network: no verb but ``weights fetch`` uses it, and none imports wandb. ``serve``, which runs until
it is stopped, has a process of its own and is stopped as soon as it prints its address.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from command_lines import understood
from small_banks import write_small_bank
from typer.testing import CliRunner

from dplass_cli.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
VERBS = ["prepare-audioset", "partition", "train", "evaluate", "separate"]
SHORTER = {
    "quickstart": ["--set", "clips=1", "--set", "steps=1", "--set", "mixtures=4"],
    "partition": ["--set", "val_mixtures=4"],
    "train": [
        "--max-steps=1",
        "--set=train.batch_size_per_device=2",
        "--set=train.num_workers=0",
        "--set=train.examples=1",
    ],
    "evaluate": ["--limit", "2"],
}
TWO_DOMAINS = ["--domain", "0,1"]  # of a training that names none
NEEDED = {"export": "onnxscript"}  # extras of pages
MAKES_THE_FOLDER = {"README", "start"}  # pages that begin with the quickstart; the others run in its folder
TAKES_A_MINUTE = {"evaluate", "example", "export", "paper"}  # tests/pipelines test the verbs each time
ON_REAL_CLIPS = {"example"}
GENERATED = {"options"}  # an option that several verbs share is explained for each of them
ELSEWHERE = {"extending"}  # its recipes are run by tests/test_extending.py


def blocks(page: Path) -> list[tuple[str, str]]:
    """A page's blocks: (info string, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """The lines of the page's shell blocks that run."""
    return [line for info, block in blocks(page) if info == "sh" for line in block.splitlines() if line]


def run(line: str, environment: dict[str, str], demo: Path) -> None:
    """Run a line of a shell block: ``dplass`` in this process, ``cd`` for what follows, a few commands of the shell."""
    words = [re.sub(r"\$(\w+)", lambda match: environment[match[1]], word) for word in shlex.split(line, comments=True)]
    if words[0] == "cd":
        os.chdir(words[1])
    elif words[:2] == ["bash", "scripts/quickstart.sh"] or words[:2] == ["dplass", "quickstart"]:
        copy(demo, Path(words[2]))
    elif words[0] == "bash":
        assert (ROOT / words[1]).is_file(), line
    elif words[:2] == ["dplass", "serve"]:
        serve(words[2:])
    elif words[0] == "dplass":
        done = CliRunner().invoke(app, shortened(words[1:], demo))
        assert done.exit_code == 0, f"{line}\n{done.output}"
    else:
        assert words[0] in ("mkdir", "cp", "grep"), f"{line}: other commands are marked bash"
        subprocess.run(["bash", "-c", line], check=True, env={**os.environ, **environment})


def shortened(words: list[str], demo: Path) -> list[str]:
    """A command with the options that make it short; where an option is given twice, the last one counts."""
    if not words:
        return words
    domains = TWO_DOMAINS if words[0] == "train" and "--domain" not in words else []
    small = ["--base-checkpoint", str(demo.parent / "base.safetensors")]
    base = small if words[0] == "export" and "--adapters" not in words else []
    return [*words, *SHORTER.get(words[0], []), *domains, *base]


def follow(page: Path, environment: dict[str, str], demo: Path) -> None:
    """Run the page's blocks in the current folder."""
    names: dict[str, Any] = {}
    for info, block in blocks(page):
        if info == "python":
            exec(compile(block, str(page), "exec"), names)
        elif info == "sh":
            for line in block.splitlines():
                run(line, environment, demo)


def copy(demo: Path, folder: Path) -> Path:
    """Another such folder, at once: whole files are never written into, so that links do."""
    return Path(shutil.copytree(demo, folder, copy_function=os.link))


def serve(options: list[str]) -> None:
    if importlib.util.find_spec("uvicorn") is None:  # without the extra there is no page
        return
    command = [sys.executable, "-m", "dplass_cli", "serve", *options, "--port", "0", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.match(r"http://127\.0\.0\.1:\d+ \(Ctrl-C ends it\)", process.stdout.readline())
        try:
            if os.name != "nt":  # where Ctrl-C goes to all processes of a console
                process.send_signal(signal.SIGINT)
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
    assert "oracle (best adapter)" in done.stdout
    write_small_bank(folder.parent)
    return folder


def test_readme_shows_the_two_commands_and_the_five_verbs() -> None:
    lines = commands(ROOT / "README.md")
    assert [line.split("  ")[0] for line in lines[:2]] == ["bash scripts/quickstart.sh demo", "bash scripts/test.sh"]
    assert [line.split()[1] for line in lines if line.startswith("dplass ")][-5:] == VERBS


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: Path) -> None:
    monkeypatch.chdir(tmp_path)
    follow(ROOT / "README.md", {}, demo)
    assert (tmp_path / "out" / "dog_in_the_rain_residual.wav").is_file()
    assert (tmp_path / "demo" / "separated" / "dog_in_the_rain_a_dog_barking.wav").is_file()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of PyTorch's export to ONNX
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] if page.stem in TAKES_A_MINUTE else []) for page in PAGES[1:]],
    ids=lambda page: page.stem,
)
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: Path, request: Any) -> None:
    if not {"sh", "python"} & {info for info, _ in blocks(page)} or page.stem in ELSEWHERE:
        pytest.skip("a page without commands, or run elsewhere")
    pytest.importorskip(NEEDED.get(page.stem, "dplass_cli"))
    real = {"DATA": str(request.getfixturevalue("real_data"))} if page.stem in ON_REAL_CLIPS else {}
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path if real or page.stem in MAKES_THE_FOLDER else copy(demo, tmp_path / "demo"))
    follow(page, real, demo)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_names_only_what_exists(page: Path) -> None:
    """Every verb and option is understood, run or not. Every link leads to a file, and to a heading in it."""
    for info, block in blocks(page):
        if info in ("sh", "bash", "console") and page.stem not in ELSEWHERE:
            for line in block.splitlines():
                called = re.search(r"(?:dplass|-m dplass_cli) (.*)", line) if _calls(line, info) else None
                if called:
                    words = called[1] if called[1].count("'") % 2 == 0 else called[1].rpartition("'")[0]  # bash -c '…'
                    understood("dplass " + re.sub(r"\$\w+", "0", words))
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            place, _, heading = link.partition("#")
            target = (page.parent / place).resolve() if place else page
            assert target.exists(), f"{page.name}: no {link}"
            assert not heading or heading in _headings(target), f"{page.name}: no heading {link}"


def _calls(line: str, info: str) -> bool:
    return not line.startswith("#") and (info in ("sh", "bash") or line.startswith("$ "))


def _headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_no_sentence_stands_twice() -> None:
    written = [page for page in PAGES if page.stem not in GENERATED]
    seen = Counter(sentence for page in written for sentence in _sentences(page.read_text(encoding="utf-8")))
    assert [sentence for sentence, count in seen.items() if count > 1] == []


def _sentences(content: str) -> list[str]:
    """The sentences of a page's prose and tables that are longer than a phrase."""
    prose = re.sub(r"^```.*?^```$", "\n\n", content, flags=re.DOTALL | re.MULTILINE)
    parts = re.split(r"\n\s*\n|\n(?=[-|#])|\s\|\s|(?<=[.:?])\s", prose)
    return [sentence for part in parts if len(sentence := " ".join(part.split())) > 40]


def test_quickstart_leaves_every_artefact(demo: Path) -> None:
    for name in ("train.json", "partition/partition.json", "run/bank/bank.json", "evaluation/results/results.json"):
        assert (demo / name).is_file()
    again = CliRunner().invoke(app, ["quickstart", str(demo)])
    assert again.exit_code == 2
    assert "is not empty" in again.stderr
