"""results and retrieve over small evaluations and clips."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_banks import write_small_bank
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.errors import InputError
from dplass_cli.evaluation.item_records import read_item_scores
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.results_options import ResultsFadOptions
from dplass_cli.options.retrieve_options import RetrieveOptions
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.results import compare_results, fad, scan_results
from dplass_cli.pipelines.retrieve import retrieve
from dplass_cli.records import write_rows

NAMES = ("dog_bark", "rain", "siren", "flute", "owl_hoot", "helicopter")


@pytest.fixture(scope="module")
def runs(clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Evaluations of the same six mixtures with two banks: ``reconv`` and ``lora``."""
    root = tmp_path_factory.mktemp("runs")
    rows = [
        {"idx": idx, "caption": name, "src_wav": clips[name], "noise_wav": clips["typing"], "snr_db": 0}
        for idx, name in enumerate(NAMES)
    ]
    write_rows(root / "table.csv", list(rows[0]), rows)
    for method in ("reconv", "lora"):
        base, bank = write_small_bank(root / f"{method}_bank", method)
        options = EvaluateOptions(
            output=root / "runs" / method,
            metadata_csv=root / "table.csv",
            base_checkpoint=str(base),
            encoder="tiny",
            adapters=(str(bank),),
            select=("base", "text"),
            metric=("bss",),
            report=False,
            device="cpu",
        )
        evaluate(options)
    evaluate(replace(options, output=root / "runs" / "part", limit=4, select=("base",)))
    return lambda name: root / "runs" / name


def test_runs_are_compared_item_by_item(runs: Callable[[str], Path], tmp_path: Path) -> None:
    compared = compare_results([runs("reconv"), runs("lora")], output=tmp_path)
    assert [(line.policy, line.run) for line in compared.lines] == [
        (policy, str(runs(name))) for policy in ("base", "text") for name in ("reconv", "lora")
    ]
    base, again, _, other = compared.lines
    assert (again.difference, again.difference_ci) == (0.0, (0.0, 0.0))  # one base: no difference
    assert again.sdri == base.sdri
    rows = [
        {score.idx: score.sdri for score in read_item_scores(runs(name)) if score.run != "base"}
        for name in ("reconv", "lora")
    ]
    by_hand = np.array([rows[1][idx] - rows[0][idx] for idx in rows[0]])
    assert other.difference == pytest.approx(by_hand.mean())
    low, high = other.difference_ci
    assert low < other.difference < high
    assert high - low == pytest.approx(2 * 1.96 * by_hand.std() / np.sqrt(6), rel=0.3)  # paired: of the differences
    assert {path.name for path in tmp_path.iterdir()} == {"comparison.json", "comparison.md", "comparison.png"}
    assert json.loads((tmp_path / "comparison.json").read_text())[3]["difference"] == other.difference


def test_runs_are_compared_on_the_items_they_share(runs: Callable[[str], Path], tmp_path: Path) -> None:
    lines = compare_results([runs("reconv"), runs("part")]).lines
    assert [(line.policy, line.n) for line in lines] == [("base", 4)] * 2
    with pytest.raises(InputError, match="--select text: not in all of these runs; in common: base"):
        compare_results([runs("reconv"), runs("part")], ["text"])
    with pytest.raises(InputError, match="two or more"):
        compare_results([runs("reconv")])
    other = tmp_path / "other"
    shutil.copytree(runs("part"), other)
    rewritten = (other / "results.json").read_text().replace('"benchmark": "custom"', '"benchmark": "esc50"')
    (other / "results.json").write_text(rewritten)
    with pytest.raises(InputError, match="compare runs of one benchmark"):
        compare_results([runs("part"), other])


def test_a_scan_lists_every_evaluation_of_a_folder(runs: Callable[[str], Path], tmp_path: Path) -> None:
    found = scan_results(runs(""), tmp_path / "table.md")
    assert [(row.folder, row.policy, row.n) for row in found] == [
        ("lora", "base", 6),
        ("lora", "text", 6),
        ("part", "base", 4),
        ("reconv", "base", 6),
        ("reconv", "text", 6),
    ]
    assert (tmp_path / "table.md").read_text().count("| custom |") == 5
    with pytest.raises(InputError, match="no evaluation in it"):
        scan_results(tmp_path)


def test_bss_eval_is_recorded_and_averaged(runs: Callable[[str], Path]) -> None:
    rows = read_item_scores(runs("reconv"))
    assert all(row.bss_sdr >= row.si_sdr - 0.1 for row in rows)  # a filter can do what a scale can
    scores = json.loads((runs("reconv") / "results.json").read_text())["policies"]
    mean = np.mean([row.bss_sdr for row in rows if row.run == "base"])
    assert scores["base"]["bss_sdr"] == pytest.approx(mean)


def test_sentences_retrieve_their_sounds(clips: dict[str, Path], tmp_path: Path) -> None:
    rows = [Row(path, name.replace("_", " ")) for name, path in clips.items()]
    rows.append(Row(tmp_path / "gone.wav", "nothing"))
    write_manifest(tmp_path / "data.json", rows)
    options = RetrieveOptions(
        tmp_path / "data.json", ("dog barking", "siren"), 3, True, cache=tmp_path / "cache", device="cpu"
    )
    result = retrieve(options)
    assert {query: len(found) for query, found in result.found.items()} == {"dog barking": 3, "siren": 3}
    assert result.found["siren"][0].captions == ("siren",)
    similarities = [sound.similarity for sound in result.found["dog barking"]]
    assert similarities == sorted(similarities, reverse=True)
    assert [Path(file).name for file in result.failed] == ["gone.wav"]
    assert result.evaluation is not None
    assert (result.evaluation.queries, result.evaluation.sounds) == (8, 8)
    assert result.evaluation.recall[1] <= result.evaluation.recall[5] <= result.evaluation.recall[10] == 1.0
    assert retrieve(options) == result  # from the cache
    with pytest.raises(InputError, match="give a sentence to find sounds by, or --eval"):
        retrieve(replace(options, query=(), evaluate=False))


def test_distance_is_zero_for_equal_folders_and_positive_for_others(clips: dict[str, Path], tmp_path: Path) -> None:
    for folder, names in {"a": NAMES[:3], "b": NAMES[3:], "c": NAMES[:1]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(clips[name], tmp_path / folder)
    assert fad(ResultsFadOptions(tmp_path / "a", tmp_path / "a", device="cpu")).distance == pytest.approx(0.0, abs=1e-6)
    apart = fad(ResultsFadOptions(tmp_path / "a", tmp_path / "b", device="cpu"))
    assert apart.distance > 0.1
    assert apart.sounds == (3, 3)
    with pytest.raises(InputError, match="1 readable sounds; a distance needs two or more"):
        fad(ResultsFadOptions(tmp_path / "a", tmp_path / "c", device="cpu"))


def test_results_verbs_print_tables_and_json(runs: Callable[[str], Path], clips: dict[str, Path]) -> None:
    invoke = CliRunner().invoke
    done = invoke(app, ["results", "compare", str(runs("reconv")), str(runs("lora")), "--json"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["lines"]) == 4
    done = invoke(app, ["results", "scan", str(runs(""))])
    assert "SDRi (dB) [95%]" in done.stdout
    folder = str(next(iter(clips.values())).parent)
    done = invoke(app, ["results", "fad", folder, folder])
    assert done.exit_code == 0, done.output
    assert "biased upwards" in done.stderr
