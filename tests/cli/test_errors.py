"""Bad input: one clear line on stderr, the right exit code, nothing lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dplass_cli.audio.writing import write_audio
from dplass_cli.cli import app


def refused(*arguments: Any, says: str | list[str], code: int = 2) -> None:
    """Run the command line and check that it ends with the code and one line that says so."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    # A busy machine may take long enough for a line of progress.
    lines = [line for line in done.stderr.splitlines() if line and not line.endswith("it/s]")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("dplass: ")
    for text in [says] if isinstance(says, str) else says:
        assert text in lines[0]


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    write_audio(path, np.sin(np.arange(16000, dtype=np.float32) * 0.1)[None] * 0.5, 16000)
    return path


def test_missing_input(tmp_path: Path) -> None:
    refused("separate", tmp_path / "no.wav", "-q", "a dog", "-o", tmp_path, says="no.wav: no such audio file")


def test_not_audio(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no sound")
    refused(
        "separate", tmp_path / "text.wav", "-q", "a dog", "-o", tmp_path, says="text.wav: not a readable audio file"
    )


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    refused("separate", tmp_path / "empty.wav", "-q", "a dog", "-o", tmp_path, says="empty.wav: the file is empty")


def test_empty_query_and_no_query(tmp_path: Path, tone: Path) -> None:
    refused("separate", tone, "-q", " ", "-o", tmp_path, says="--query is empty")
    refused("separate", tone, "-o", tmp_path, says="no query is given")


def test_wrong_policy(tmp_path: Path, tone: Path) -> None:
    refused("separate", tone, "-q", "a", "-o", tmp_path, "--select", "txt", says="did you mean 'text'")
    refused("separate", tone, "-q", "a", "-o", tmp_path, "--select", "oracle", says="needs the true source")


def test_wrong_checkpoint_names_the_first_keys(tmp_path: Path, tone: Path) -> None:
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.ckpt")
    refused(
        *("separate", tone, "-q", "a dog", "-o", tmp_path, "--base-checkpoint", tmp_path / "other.ckpt"),
        says=["other.ckpt: not weights of this network", "missing: base.bn0.weight", "unexpected: layer.weight"],
    )


def test_unknown_option_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("train:\n  max_epoch: 3\n")
    given = ("train", "--data", tmp_path, "--workspace", tmp_path / "run")
    nearest = "unknown option 'train.max_epoch'; did you mean 'train.max_epochs'?"
    refused(*given, "--config", tmp_path / "c.yaml", says=["c.yaml", nearest])
    refused(*given, "--set", "adapter.rnk=4", says="'adapter.rnk'; did you mean 'adapter.rank'?")
    refused(
        *given, "--set", "train.max_epochs=many", says="dplass: --set train.max_epochs=many: must be a whole number"
    )


def test_manifest_without_wav(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"data": [{"caption": "x"}]}))
    refused("partition", tmp_path / "m.json", "-o", tmp_path / "p", says="m.json: row 0 has no 'wav'")
    assert not (tmp_path / "p").exists()


def test_fewer_captions_than_domains(tmp_path: Path, tone: Path) -> None:
    rows = [{"wav": str(tone), "caption": caption} for caption in ("a", "b")]
    (tmp_path / "m.json").write_text(json.dumps({"data": rows}))
    refused("partition", tmp_path / "m.json", "-o", tmp_path / "p", says=["2", "7", "captions"])


def test_not_a_partition(tmp_path: Path) -> None:
    refused(
        "train", "--data", tmp_path, "--workspace", tmp_path / "run", says="not a partition folder (no partition.json)"
    )


def test_evaluate_without_a_column_and_without_adapters(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("idx,caption,src_wav,noise_wav\n0,a,b,c\n")
    given = ("evaluate", "--metadata-csv", tmp_path / "t.csv", "-o", tmp_path / "e")
    refused(*given, says="t.csv: no column 'snr_db'")
    (tmp_path / "t.csv").write_text("idx,caption,src_wav,noise_wav,snr_db\n0,a,b.wav,c.wav,0\n")
    refused(*given, says="b.wav: no such audio file")
    refused(*given, "--benchmark", "custm", says="did you mean 'custom'")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["separate", "--quary", "x"], "dplass: --quary: no such option; did you mean '--query'?"),
        (["train", "--zzzz"], ["dplass: --zzzz: no such option; ", "train --help shows an example"]),
        (["train", "--resume=3"], "dplass: --resume: does not take a value; "),
        (["train", "-x"], "dplass: -x: no such option; "),
        (["nothing-like-it"], "dplass: nothing-like-it: no such command; "),
        (["seperate"], "dplass: seperate: no such command; did you mean 'separate'?"),
        (["version"], "dplass: version: no such command; did you mean 'dplass --version'?"),
        (["domains", "asign", "a dog"], "dplass: asign: no such command; did you mean 'assign'?"),
        (["domains", "assign", "a dog"], ["--partition is not given; --help shows an example"]),
        (["adapters", "merge"], ["ADAPTER is not given; --help shows an example"]),
        (["train", "partition"], ["dplass: partition: unexpected extra argument; ", "train --help shows an example"]),
        (["train", "--max-epochs", "three"], "dplass: --max-epochs: must be a valid integer; "),
        (["train", "--data"], "dplass: --data: requires an argument; "),
    ],
)
def test_what_the_parser_refuses_is_one_line_too(given: list[str], says: str | list[str]) -> None:
    refused(*given, says=says)


@pytest.mark.parametrize("group", ["adapters", "domains", "prepare", "results", "weights"])
def test_a_group_alone_shows_its_verbs(group: str) -> None:
    done = CliRunner().invoke(app, [group])
    assert (done.exit_code, done.stderr) == (2, "")
    assert "Commands" in done.stdout


def test_some_inputs_fail_others_are_written(tmp_path: Path, tone: Path) -> None:
    done = CliRunner().invoke(
        app, ["separate", str(tone), str(tmp_path / "no.wav"), "-q", "a dog", "-o", str(tmp_path)]
    )
    assert done.exit_code == 1
    assert done.stderr.count("no.wav") == 1  # the reason names it
    assert (tmp_path / "tone_a_dog.wav").is_file()


def test_what_a_file_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text(f"a.wav\train\tb\tmore \x1b[2J{'x' * 10_000}\n")
    (tmp_path / "config.yaml").write_text(f'"\\e[2J{"x" * 10_000}": 1\n')
    refused("separate", "--list", tmp_path / "list.tsv", "-o", tmp_path, says=r"\x1b[2J")
    done = CliRunner().invoke(app, ["separate", "--config", str(tmp_path / "config.yaml"), "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 4100


def test_what_is_not_given_is_named_as_it_is_given(tmp_path: Path, tone: Path) -> None:
    refused("separate", tone, "-q", "a dog", says="--output is not given")
    refused("partition", says="MANIFEST is not given")
    refused("train", "--workspace", tmp_path / "run", says="--data is not given")


def test_a_wrong_word_names_its_flag(tmp_path: Path, tone: Path) -> None:
    (tmp_path / "c.yaml").write_text("residual: true\n")
    given = ("separate", tone, "-q", "a dog", "-o", tmp_path / "out", "--config", tmp_path / "c.yaml")
    refused(*given, "--clip", "foo", says="dplass: --clip foo: must be one of limit, scale, error")


def test_wrong_adapters_say_where_right_ones_are(tmp_path: Path, tone: Path) -> None:
    given = ("separate", tone, "-q", "a dog", "-o", tmp_path / "out")
    refused(*given, "--adapters", tmp_path / "nope", says="nope: no such file or folder; check")
    (tmp_path / "run" / "bank").mkdir(parents=True)
    (tmp_path / "run" / "bank" / "bank.json").write_text("{}")
    refused(*given, "--adapters", tmp_path / "run", says=f"use its bank, {tmp_path / 'run' / 'bank'}")
    refused(*given, "--select", "single:9", says="no adapter 'domain9' is loaded; loaded: domain0, domain1")


def test_what_is_no_checkpoint_is_not_to_be_trusted(tmp_path: Path, tone: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are no weights")
    given = ("separate", tone, "-q", "a dog", "-o", tmp_path / "out", "--base-checkpoint", tmp_path / "notes.txt")
    refused(*given, says="notes.txt: not a checkpoint (neither safetensors nor saved by PyTorch)")


def test_a_folder_is_no_file_to_write_and_a_file_no_folder(tmp_path: Path, tone: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.json").write_text(json.dumps({"format": "dplass-evaluation-1"}))
    refused("export", "-o", tmp_path, says="must end in .onnx")
    (tmp_path / "graph.onnx").mkdir()
    refused("export", "-o", tmp_path / "graph.onnx", says="graph.onnx: is a folder; give the name of a file to write")
    refused("quickstart", tone, says="tone.wav: is a file; expected a folder")
    refused("results", "fad", tone, tmp_path, says="tone.wav: is a file; expected a folder")
    refused("results", "scan", tone, says="tone.wav: is a file; expected a folder")
    refused("prepare", "esc50", tone, "-o", tmp_path / "m.json", says="tone.wav: is a file; expected a folder")


def test_a_path_that_cannot_be_looked_at_is_one_line(tmp_path: Path, tone: Path) -> None:
    long = tmp_path / ("a" * 300)
    says = f"{'a' * 300}"
    why = "File name too long" if sys.version_info < (3, 14) else ""  # pathlib no longer says why there is no file
    refused("adapters", "list", long, says=[says, f"{why}; check the path"])
    refused("domains", "compare", long, long, says=[says, why])
    refused("results", "compare", long, long, says=[says, why])
    given = ("separate", tone, "-q", "a dog", "-o", tmp_path / "out")
    refused(*given, "--adapters", long, says=[says, why])
    refused("train", "--data", long, "--workspace", tmp_path / "run", says=[says, why])


def test_quickstart_and_doctor_look_at_their_options_first(tmp_path: Path) -> None:
    refused("quickstart", tmp_path / "q", "--device", "cuda:99", says="--device cuda:99: torch finds")
    refused("quickstart", tmp_path / "q", "--set", "steps=0", says="dplass: --set steps=0: must be at least 1")
    refused("doctor", "--clips", "-1", says="--clips -1: must be at least 1, or 0 for all")
    assert not (tmp_path / "q").exists()


def test_a_folder_that_is_not_there_is_named_as_missing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    refused("train", "--data", gone, "--workspace", tmp_path / "run", says="gone: no such folder; check the path")
    refused("domains", "compare", gone, gone, says="gone: no such folder; check the path")
    refused("results", "compare", gone, gone, says="gone: no such folder; check the path")


def test_not_an_evaluation(tmp_path: Path) -> None:
    refused("results", "compare", tmp_path, tmp_path, says="not an evaluation folder (no results.json)")


@pytest.mark.parametrize("flag", ["--base-checkpoint", "--encoder", "--adapters", "--select"])
def test_an_empty_name_is_not_the_default(tmp_path: Path, tone: Path, flag: str) -> None:
    given = ("separate", tone, "-q", "a dog", "-o", tmp_path / "out")
    refused(*given, flag, "", says=[f"dplass: {flag} ", "must be a name, not an empty text"])
