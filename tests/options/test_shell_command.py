"""The command in a report: it has the effect that the options had."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_options import ClipLimits, CorpusOptions
from dplass_cli.options.shell_command import shell_command


def test_defaults_are_left_out() -> None:
    options = EvaluateOptions(output=Path("out"), metadata_csv=Path("table.csv"))
    assert shell_command("evaluate", options) == "dplass evaluate --metadata-csv table.csv --output out"


def test_values_in_one_text_are_joined_and_others_repeat_the_flag() -> None:
    options = EvaluateOptions(output=Path("out"), select=("base", "text"), adapters=("one", "two"), similarity=False)
    command = shell_command("evaluate", options)
    assert "--select base,text " in command
    assert "--adapters one --adapters two" in command
    assert "--no-similarity" in command


def test_positional_arguments_come_first_and_spaces_are_quoted() -> None:
    options = PartitionOptions(Path("my clips/train.json"), Path("out"), domains=4, report=True, val_mixtures=5)
    assert (
        shell_command("partition", options)
        == "dplass partition 'my clips/train.json' --output out --domains 4 --report --set val_mixtures=5"
    )


def test_what_the_verb_says_is_not_repeated_and_sections_are_paths() -> None:
    options = CorpusOptions(
        kind="csv", folder=Path("c"), output=Path("o.json"), column={"wav": "file"}, limits=ClipLimits(min_rate=16000)
    )
    assert (
        shell_command("prepare csv", options)
        == "dplass prepare csv c --output o.json --column wav=file --set limits.min_rate=16000"
    )
