"""Every command, flag, alias and default that users have in their scripts is still there."""

from __future__ import annotations

from pathlib import Path

import pytest
from frozen.surface import command_line, lost_on_the_command_line, read
from typer.testing import CliRunner

from dplass_cli.cli import app


def test_no_command_flag_or_default_is_lost() -> None:
    assert lost_on_the_command_line(read("command_line.json"), command_line()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("evaluate --metadata_csv no.csv --output out", "no.csv"),
        ("evaluate --metadata_csv=no.csv --output out", "no.csv"),
        ("evaluate --metadata_csv {table} --audio_dir no_audio --output out", "no_audio"),
        ("evaluate --metadata_csv {table} --checkpoint_path no.ckpt --output out", "no.ckpt"),
        ("evaluate --metadata_csv {table} --base_checkpoint no.ckpt --output out", "no.ckpt"),
        ("evaluate --metadata_csv {table} --dora_checkpoints no0.pt no1.pt --output out", "no0.pt"),
        ("separate {table} --query rain --checkpoint_path no.ckpt --output out", "no.ckpt"),
        ("train --config_yaml no.yaml --data part --workspace run", "no.yaml"),
        ("train --data no_partition --workspace run --max_epochs 2", "no_partition"),
        ("train --data part --workspace run --max_epochs many", "--max-epochs"),
        ("train --data part --workspace run --num_gpus many", "--num-gpus"),
    ],
)
def test_a_published_spelling_reaches_its_option(
    arguments: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("idx,caption,src_wav,noise_wav,snr_db\n0,rain,a.wav,b.wav,0\n")
    done = CliRunner().invoke(app, arguments.format(table="table.csv").split())
    assert done.exit_code == 2, done.output
    assert said in done.stderr, done.stderr
    assert "no such option" not in done.stderr.lower()


def test_all_files_after_one_published_flag_are_its_values(tmp_path: Path) -> None:
    files = [str(tmp_path / f"no{number}.pt") for number in range(3)]
    done = CliRunner().invoke(app, ["adapters", "list", *files])
    assert done.exit_code == 2
    shown = CliRunner().invoke(app, ["evaluate", "--dora_checkpoints", *files, "--help"])
    assert shown.exit_code == 0, shown.output
