"""An evaluation from start to end on three short items: complete, shared, resumed, refused, written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.evaluation.conditions import Condition, make_conditions
from dplass_cli.evaluation.evaluation_run import EvaluateResult, EvaluationRun
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.reports.evaluation_report import example_condition, worst_and_best
from dplass_cli.separation.loading import Models

QUERIES = ("rain", "dog bark", "siren")


@pytest.fixture
def options(tmp_path: Path) -> EvaluateOptions:
    """The evaluation of three items in the form of ESC-50."""
    audio = tmp_path / "audio"
    audio.mkdir()
    generator = np.random.default_rng(0)
    for number in range(len(QUERIES)):
        reference, other = 0.1 * generator.normal(size=(2, 1, 16000)).astype(np.float32)
        reference *= np.hanning(16000).astype(np.float32) ** number
        write_audio(audio / f"segment-{number}.wav", reference, 32000)
        write_audio(audio / f"mixture-{number}.wav", reference + other, 32000)
    rows = "".join(f"{number},{query}\n" for number, query in enumerate(QUERIES))
    (tmp_path / "table.csv").write_text(f"idx,caption\n{rows}")
    return EvaluateOptions(
        output=tmp_path / "evaluation",
        metadata_csv=tmp_path / "table.csv",
        audio_dir=audio,
        batch_size=2,
        workers=1,
        metric=("bss",),
        max_missing=0.0,
        device="cpu",
    )


def evaluation(options: EvaluateOptions, **changes: Any) -> EvaluationRun:
    return EvaluationRun("esc50", replace(options, **changes))


def conditions(models: Models, names: Sequence[str] = ("base", "text", "oracle")) -> list[Condition]:
    return make_conditions(names, models.bank, similarity=True)


def run(options: EvaluateOptions, models: Models, share: tuple[int, int] = (0, 1), **changes: Any) -> EvaluateResult:
    return evaluation(options, **changes).run(models, conditions(models), share)


def test_every_condition_is_scored_on_every_item(options: EvaluateOptions, small_models: Models) -> None:
    result = run(options, small_models)
    assert result.complete
    assert {name: score.n for name, score in result.scores.policies.items()} == {"base": 3, "text": 3, "oracle": 3}
    assert {run for _, run in result.item_scores} == {"base", *small_models.bank.keys}
    assert (result.benchmark, result.n, result.unusable) == ("esc50", 3, {})


def test_scores_are_those_of_the_rows_that_were_chosen(options: EvaluateOptions, small_models: Models) -> None:
    result = run(options, small_models)
    chosen = [result.item_scores[idx, run].sdri for idx, run in result.scores.chosen["text"].items()]
    assert result.scores.policies["text"].sdri == pytest.approx(np.mean(chosen))  # type: ignore[arg-type]


def test_a_policy_that_chooses_by_the_query_runs_one_adapter_per_item(
    options: EvaluateOptions, small_models: Models
) -> None:
    result = evaluation(options).run(small_models, conditions(small_models, ("text",)))
    assert sorted(result.item_scores) == [("0", "domain1"), ("1", "domain0"), ("2", "domain2")]


def test_processes_share_the_items_and_the_last_one_is_complete(options: EvaluateOptions, small_models: Models) -> None:
    alone = run(options, small_models)
    shared = replace(options, output=options.output.with_name("shared"))
    first, second = (run(shared, small_models, (rank, 2)) for rank in (0, 1))
    assert (first.complete, second.complete) == (False, True)
    assert first.scores.policies == {}
    assert second.scores == alone.scores


def test_a_finished_evaluation_is_not_computed_again(options: EvaluateOptions, small_models: Models) -> None:
    first = run(options, small_models)
    again = run(options, small_models)
    assert again.item_scores == first.item_scores  # the seconds too
    assert again.scores == first.scores


def test_items_without_audio_are_left_out_up_to_a_share(options: EvaluateOptions, small_models: Models) -> None:
    evaluation(options).items[1].files[0].unlink()
    result = run(options, small_models, max_missing=0.4)
    assert list(result.unusable) == ["1"]
    assert [item.idx for item in result.items] == ["0", "2"]
    assert result.scores.policies["base"].n == 2


def test_too_many_items_without_audio_are_refused_before_anything_runs(
    options: EvaluateOptions, small_models: Models
) -> None:
    evaluation(options).items[1].files[0].unlink()
    with pytest.raises(
        InputError, match=r"esc50: 1 of 3 items have no usable audio, more than --max-missing 0.3 allows"
    ):
        run(options, small_models, max_missing=0.3)
    assert not options.output.exists()


def test_chosen_items_are_a_part_of_the_table(options: EvaluateOptions) -> None:
    assert [item.idx for item in evaluation(options, items=("2", "0"), limit=1).items] == ["0"]


def test_the_key_depends_on_what_changes_scores(options: EvaluateOptions, small_models: Models) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"similarity": False},
        {"metric": ()},
        {"precision": "bf16-mixed"},
        {"precision": "int8"},
        {"audio_dir": options.output},
    ]
    keys = [evaluation(options, **change).record_key(small_models) for change in changes]
    assert options.metadata_csv is not None
    options.metadata_csv.write_text(options.metadata_csv.read_text().replace("rain", "a rainstorm"))
    assert len({*keys, evaluation(options).record_key(small_models)}) == 7


def test_the_key_does_not_depend_on_how_fast_it_runs(options: EvaluateOptions, small_models: Models) -> None:
    other = evaluation(options, output=options.output / "other", limit=1, batch_size=9, workers=9)
    assert other.record_key(small_models) == evaluation(options).record_key(small_models)


def test_results_are_written_for_programs_and_for_people(options: EvaluateOptions, small_models: Models) -> None:
    result = run(options, small_models)
    result.run.write(result, small_models)
    content = json.loads((options.output / "results.json").read_text())
    assert (content["benchmark"], content["items"], content["expected_rows"]) == ("esc50", 3, 2000)
    assert content["policies"]["text"]["sdri"] == result.scores.policies["text"].sdri
    assert (content["options"]["limit"], content["options"]["metric"]) == (None, ["bss"])
    assert "workers" not in content["options"]
    assert "chosen" not in content
    assert (options.output / "choices.csv").read_text().startswith("idx,group,base,text,oracle\n0,rain,base,domain1,")
    assert "| oracle (best adapter) |" in (options.output / "results.md").read_text()
    assert "AudioSep, published (compare with base)" in (options.output / "results.md").read_text()


def test_published_results_are_compared_where_asked_for(options: EvaluateOptions, small_models: Models) -> None:
    result = run(options, small_models, check_published=True)
    assert [check.verdict for check in result.checks] == ["not comparable: 3 of 2000 items"] * 2


def test_examples_are_of_the_first_condition_that_is_a_method(options: EvaluateOptions, small_models: Models) -> None:
    result = run(options, small_models)
    assert example_condition(result) == "text"
    only = evaluation(options).run(small_models, conditions(small_models, ("base", "oracle")))
    assert example_condition(only) == "base"


def test_the_worst_and_the_best_items_are_separated_again(options: EvaluateOptions, small_models: Models) -> None:
    result = run(options, small_models)
    (worst,), (best,) = worst_and_best(result, small_models, conditions(small_models), 4)  # 3 items: 1 of each
    sdri = {idx: result.item_scores[idx, run].sdri or 0.0 for idx, run in result.scores.chosen["text"].items()}
    assert worst.item.idx == min(sdri, key=sdri.__getitem__)
    assert best.item.idx == max(sdri, key=sdri.__getitem__)
    sounds = best.sounds
    error = np.mean((sounds.estimate - sounds.target) ** 2) / np.mean((sounds.mixture - sounds.target) ** 2)
    assert -10 * np.log10(error) == pytest.approx(best.sdri, abs=1e-3)
