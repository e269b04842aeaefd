"""dplass evaluate: the published scripts' spelling, JSON, exit codes, checks against published figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from small_banks import write_small_bank
from typer.testing import CliRunner

from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.cli import app
from dplass_cli.records import write_rows


@pytest.fixture(scope="module")
def folder(clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two items in ESC-50's form, of which the second lacks its mixture, a base and a bank."""
    root = tmp_path_factory.mktemp("esc50")
    write_small_bank(root)
    for idx, name in enumerate(("rain", "siren")):
        source, noise = (read_mono(clips[sound], 32000)[:48000] for sound in (name, "typing"))
        write_audio(root / f"segment-{idx}.wav", source[None], 32000)
        write_audio(root / f"mixture-{idx}.wav", (source + noise)[None], 32000)
    (root / "mixture-1.wav").unlink()
    rows = [{"idx": idx, "caption": "rain", "src_wav": "a.wav", "noise_wav": "b.wav"} for idx in range(2)]
    write_rows(root / "esc50_eval.csv", list(rows[0]), rows)
    return root


def run(folder: Path, output: Path, *more: Any) -> Result:
    arguments = [
        *("evaluate", "--benchmark", "esc50", "--metadata_csv", folder / "esc50_eval.csv", "--audio_dir", folder),
        *("--dora_checkpoints", folder / "bank" / "domain0", folder / "bank" / "domain1"),
        *("--base_checkpoint", folder / "base.safetensors", "--encoder", "tiny", "--no-report", "--device", "cpu"),
        *("--output", output, *more),
    ]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_published_spelling_and_what_json_holds(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, "--max-missing", 0.5, "--json")
    assert done.exit_code == 1, done.output  # an item failed, and is listed
    assert "esc50 1 left out" in done.stderr
    assert "mixture-1.wav: no such audio file" in done.stderr
    content = json.loads(done.stdout)
    assert list(content["policies"]) == ["base", "audio", "base+residual", "oracle"]  # adapters without domains
    assert content["policies"]["base"]["n"] == 1
    assert list(content["adapters"]) == ["domain0", "domain1"]


def test_too_much_missing_is_one_line(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path)
    assert done.exit_code == 2
    assert "1 of 2 items have no usable audio, more than --max-missing 0.05 allows" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "items.csv").exists()


def test_published_figures_are_checked(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, "--items", "0", "--check-published")
    assert done.exit_code == 1
    assert "not comparable: 1 of 2000 items" in done.stdout
    assert "10.040" in done.stdout
