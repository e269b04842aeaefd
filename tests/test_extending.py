"""The recipes of ``docs/extending.md``, applied to a copy of the package: what they show is all that is needed."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.writing import write_audio

ROOT = Path(__file__).parents[1]
SHORTER = {
    "train": ["--max-steps", "1", "--set", "train.batch_size_per_device=2", "--set", "train.num_workers=0"],
    "evaluate": ["--limit", "3", "--no-report"],
}
FOLLOW = """
import json, sys
from typer.testing import CliRunner
from dplass_cli.cli import app

printed = []
for command in json.load(sys.stdin):
    done = CliRunner().invoke(app, command)
    if done.exit_code:
        sys.exit(f"{command}: {done.output} {done.exception}")
    printed.append(done.stdout)
print(json.dumps(printed))
"""


def blocks(language: str, heading: str = "") -> list[str]:
    """The blocks of a language in the page, or below one of its headings."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    part = page.split(f"## {heading}\n")[1].split("\n## ")[0] if heading else page
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


def apply(diff: str, root: Path) -> None:
    """Apply a diff whose lines occur once in its file."""
    head, *hunks = diff.split("@@\n")
    file = root / head.splitlines()[1].removeprefix("+++ b/")
    content = file.read_text(encoding="utf-8")
    for hunk in hunks:
        lines = hunk.splitlines()
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in signs) for signs in (" -", " +"))
        assert content.count(old) == 1, f"{file}: the page's lines are not the file's:\n{old}"
        content = content.replace(old, new)
    file.write_text(content, encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with all four recipes in it."""
    root = tmp_path_factory.mktemp("house")
    ignored = shutil.ignore_patterns("assets", "__pycache__")
    shutil.copytree(ROOT / "dplass_cli", root / "dplass_cli", ignore=ignored)
    (root / "dplass_cli" / "assets").symlink_to(ROOT / "dplass_cli" / "assets")
    (root / "configs").symlink_to(ROOT / "configs")
    shutil.copytree(ROOT / "metadata", root / "metadata")
    for block in blocks("python"):
        file = root / block.splitlines()[0].removeprefix("# ")
        assert not file.exists()
        file.write_text(block.partition("\n")[2], encoding="utf-8")
    for block in blocks("yaml"):
        with open(root / block.splitlines()[0].removeprefix("# "), "a", encoding="utf-8") as table:
            table.write(block.partition("\n")[2])
    for block in blocks("diff"):
        apply(block, root)
    return root


def follow(heading: str, house: Path, folder: Path) -> list[str]:
    """Run a recipe's commands by the copy, on what lies in a folder; returns what they print."""
    lines = [shlex.split(line)[1:] for line in "".join(blocks("bash", heading)).splitlines()]
    commands = [[*words, *SHORTER.get(words[0], []), *([] if words[1] == "merge" else ["--json"])] for words in lines]
    environment = {**os.environ, "PYTHONPATH": str(house)}
    done = subprocess.run(
        [sys.executable, "-c", FOLLOW],
        input=json.dumps(commands),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    printed: list[str] = json.loads(done.stdout)
    return printed


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_the_copy_keeps_the_rules_of_style(house: Path) -> None:
    pytest.importorskip("ruff", reason="pip install 'dplass[dev]'")
    shutil.copy(ROOT / "pyproject.toml", house)
    for rule in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *rule, "--no-cache", "."],
            cwd=house,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_an_adapter_method(house: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "partition").symlink_to(corpus / "partition")
    shutil.copy(corpus / "dog_bark0.wav", tmp_path / "mix.wav")
    trained, info, _, separated = follow("An adapter method", house, tmp_path)
    assert set(json.loads(trained)["domains"]) == {"0"}
    told = json.loads(info)
    assert told["info"]["method"] == "gain"
    assert 0 < told["trainable"] < 0.01 * told["total"]
    assert (tmp_path / "merged.safetensors").is_file()
    (target,) = json.loads(separated)["written"]["mix.wav"]
    assert list(target["adapter"]) == ["domain0"]  # a blend of all that there are
    assert (tmp_path / target["path"]).is_file()


def test_a_selection_policy(house: Path, corpus: Path, tmp_path: Path) -> None:
    shutil.copy(corpus / "mixtures.csv", tmp_path)
    shutil.copy(corpus / "dog_bark0.wav", tmp_path / "mix.wav")
    for wav in corpus.glob("*.wav"):
        (tmp_path / wav.name).symlink_to(wav)
    evaluated, separated = map(json.loads, follow("A selection policy", house, tmp_path))
    assert list(evaluated["policies"]) == ["base", "confident", "oracle"]
    choices = evaluated["policies"]["confident"]["choices"]
    assert sum(choices.values()) == evaluated["items"] == 3
    (target,) = separated["written"]["mix.wav"]
    assert target["adapter"] is None or target["adapter"].startswith("domain")


def test_a_benchmark(house: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "kitchen").mkdir()
    rows = []
    for number, (sound, noise) in enumerate([("dog_bark0", "rain0"), ("siren1", "flute2"), ("typing0", "owl_hoot1")]):
        target, other = (read_mono(corpus / f"{name}.wav", 32000) for name in (sound, noise))
        write_audio(tmp_path / "kitchen" / f"{number}-target.wav", target[None], 32000)
        write_audio(tmp_path / "kitchen" / f"{number}-mixture.wav", (target + other)[None], 32000)
        rows.append({"idx": str(number), "caption": sound[:-1], "room": "small" if number else "large"})
    write_table(tmp_path / "kitchen.csv", rows)
    (evaluated,) = map(json.loads, follow("A benchmark", house, tmp_path))
    assert evaluated["benchmark"] == "kitchen"
    assert evaluated["policies"]["base"]["n"] == 3
    rooms = {name: score["sdri"]["base"] for name, score in evaluated["classes"].items()}
    assert set(rooms) == {"small", "large"}
    assert evaluated["policies"]["base"]["sdri"] == pytest.approx((rooms["small"] + rooms["large"]) / 2, abs=1e-4)


def test_a_corpus(house: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    shutil.copy(corpus / "owl_hoot0.wav", tmp_path / "birds" / "a.wav")
    write_table(tmp_path / "birds" / "birdsong_train.csv", [{"file": "a.wav", "species": "Tawny owl"}])
    follow("A corpus", house, tmp_path)
    (row,) = json.loads((tmp_path / "birds.json").read_text(encoding="utf-8"))["data"]
    assert (row["caption"], Path(row["wav"]).name) == ("Tawny owl", "a.wav")
