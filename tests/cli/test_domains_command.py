"""``dplass domains`` as it is called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_corpus import KINDS
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.pipelines.partition import partition


def test_assign_prints_the_domain_of_each_sentence_and_all_probabilities(corpus: Path) -> None:
    given = ["domains", "assign", "Siren", "Rain", "--partition", str(corpus / "partition")]
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    siren, rain = json.loads(done.stdout)
    assert (siren["sentence"], siren["nearest_caption"]) == ("Siren", "Siren")
    assert rain["nearest_caption"] == "Rain"
    assert sum(siren["probabilities"].values()) == pytest.approx(1.0)
    assert siren["probabilities"][str(siren["domain"])] == max(siren["probabilities"].values())
    table = CliRunner().invoke(app, given).stdout
    assert f"{siren['domain']} {siren['name']}" in table
    assert "all domains" in table


def test_compare_finds_no_moved_caption_between_equal_partitions(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus / "partition", tmp_path / "same")
    done = CliRunner().invoke(app, ["domains", "compare", str(corpus / "partition"), str(tmp_path / "same")])
    assert done.exit_code == 0, done.output
    assert f"{len(KINDS)} captions: adjusted Rand 1.000" in done.stdout
    assert "0 moved" in done.stdout
    assert done.stderr == ""


def test_compare_notes_captions_of_one_partition_only(corpus: Path, tmp_path: Path) -> None:
    manifest = json.loads((corpus / "train.json").read_text())
    for row in manifest["data"]:
        row["wav"] = str(corpus / Path(row["wav"]).name)
    manifest["data"] = [row for row in manifest["data"] if row["caption"] != "Hoot"]
    (tmp_path / "train.json").write_text(json.dumps(manifest))
    partition(PartitionOptions(tmp_path / "train.json", tmp_path / "p", domains=2, val_mixtures=2, device="cpu"))
    done = CliRunner().invoke(app, ["domains", "compare", str(corpus / "partition"), str(tmp_path / "p")])
    assert done.exit_code == 0, done.output
    assert done.stderr == "1 captions are in the first partition only\n"
