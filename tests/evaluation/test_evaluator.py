"""The evaluator: what runs on which item, in which batches, and what is recorded of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_scores import item

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.evaluation.conditions import Condition
from dplass_cli.evaluation.evaluator import (
    EvaluatorSettings,
    ItemRun,
    PreparedItems,
    evaluate_batches,
    make_batches,
    plan_runs,
)
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, Loaded, Recorded
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import make_policy
from dplass_cli.sounds import render
from dplass_cli.storage import no_progress

RATE = 32000
SETTINGS = EvaluatorSettings(seconds=None, batch_size=2, workers=1, bfloat16=False, similarity=True, bss=False)
DOG, RAIN = item("0", "dog bark", ""), item("1", "rain", "")


def conditions(*names: str, refine: bool = False) -> list[Condition]:
    return [Condition(make_policy(name), refine) for name in names]


def loaded(name: str, seconds: float = 1.0) -> Loaded:
    sound = render(name, 7, seconds, RATE)
    return Loaded(sound + render("typing", 7, seconds, RATE), sound, "0" * 16)


def test_a_policy_that_chooses_by_the_query_runs_one_adapter(small_models: Models) -> None:
    plan = plan_runs([DOG, RAIN], conditions("text"), small_models)
    assert plan == {"0": {"domain0": ItemRun("domain0")}, "1": {"domain1": ItemRun("domain1")}}


def test_a_policy_that_needs_outputs_runs_every_adapter(small_models: Models) -> None:
    (runs,) = plan_runs([DOG], conditions("base", "audio"), small_models).values()
    assert list(runs) == ["base", "domain0", "domain1", "domain2"]


def test_refined_and_blended_outputs_are_runs_of_their_own(small_models: Models) -> None:
    refined = conditions("text", refine=True)
    (runs,) = plan_runs([DOG], [*conditions("text", "blend"), *refined], small_models).values()
    assert list(runs) == ["domain0", "blend", "text+residual"]
    assert runs["text+residual"] == ItemRun("domain0", refined[0].policy)


def test_an_adapter_may_not_be_named_like_a_condition(small_models: Models) -> None:
    bank = AdapterBank(small_models.network)
    bank.add("base", small_models.bank.get("domain0"))
    with pytest.raises(InputError, match="an adapter is named 'base', like a policy; rename its folder"):
        plan_runs([DOG], conditions("base"), replace(small_models, bank=bank))


def test_batches_have_one_length_and_the_same_runs_long_ones_first() -> None:
    items = [item(str(number), "rain" if number % 2 else "dog bark", "") for number in range(7)]
    plan = {one.idx: {"domain1" if one.query == "rain" else "domain0": ItemRun(None)} for one in items}
    lengths = {one.idx: 100 if one.idx == "6" else 50 for one in items}
    batches = [[one.idx for one in batch] for batch in make_batches(items, lengths, plan, 2)]
    assert batches == [["6"], ["0", "2"], ["4"], ["1", "3"], ["5"]]


def test_only_the_rows_that_ask_for_it_are_refined(small_models: Models) -> None:
    with torch.inference_mode():
        batch = PreparedItems([DOG, RAIN], [loaded("dog_bark"), loaded("rain")], small_models, SETTINGS)
        plain = batch.separate([ItemRun("domain0"), ItemRun("domain1")])[0]
        mixed = batch.separate([ItemRun("domain0", make_policy("text")), ItemRun("domain1")])[0]
    torch.testing.assert_close(mixed[1], plain[1], rtol=0, atol=1e-7)
    assert (mixed[0] - plain[0]).abs().max() > 1e-5


def test_passes_that_runs_share_are_computed_once(small_models: Models) -> None:
    text, nearest = make_policy("text"), make_policy("text-knn")  # both choose domain0 for each residual here
    runs = [[ItemRun(key, policy), ItemRun(key, policy)] for key, policy in [
        ("domain0", None), ("domain1", None), ("domain0", text), ("domain0", nearest),
    ]]  # fmt: skip
    passes = []
    hook = small_models.network.register_forward_hook(lambda *_: passes.append(small_models.bank.active))
    with torch.inference_mode():
        audio = [loaded("dog_bark"), loaded("rain")]
        alone = [PreparedItems([DOG, RAIN], audio, small_models, SETTINGS).separate(run)[0] for run in runs]
        separately = len(passes)
        batch = PreparedItems([DOG, RAIN], audio, small_models, SETTINGS, runs)
        shared = [batch.separate(run)[0] for run in runs]
    hook.remove()
    torch.testing.assert_close(torch.stack(shared), torch.stack(alone), rtol=0, atol=1e-7)
    assert (separately, len(passes) - separately) == (6, 3)


def test_similarities_are_measured_only_if_asked_for(small_models: Models) -> None:
    deaf = EvaluatorSettings(seconds=None, batch_size=1, workers=1, bfloat16=False, similarity=False, bss=False)
    with torch.inference_mode():
        for settings, expected in ((SETTINGS, True), (deaf, False)):
            prepared = PreparedItems([DOG], [loaded("dog_bark")], small_models, settings)
            assert (prepared.separate([ItemRun(None)])[1] is not None) is expected


def test_a_silent_reference_has_a_level_and_no_distortion(small_models: Models) -> None:
    silent = Loaded(loaded("dog_bark").mixture, np.zeros(RATE, np.float32), "0" * 16)
    with torch.inference_mode():
        batch = PreparedItems([DOG], [silent], small_models, SETTINGS)
        (score,) = batch.scores("base", *batch.separate([ItemRun(None)]), 0.5)
    assert (score.sdr, score.sdri, score.si_sdr, score.bss_sdr) == (None, None, None, None)
    assert score.level_db is not None
    assert score.seconds == 0.5


@pytest.fixture
def recorded(tmp_path: Path) -> list[Item]:
    """Two items of files; the mixture of the second is cut."""
    items = []
    for idx, seconds in (("0", 1.0), ("1", 0.5)):
        files = Recorded(tmp_path / f"{idx}-reference.wav", tmp_path / f"{idx}-mixture.wav")
        audio = loaded("dog_bark")
        write_audio(files.reference, audio.reference[None], RATE)
        write_audio(files.mixture, audio.mixture[None, : round(seconds * RATE)], RATE)
        items.append(Item(idx, "dog bark", "", files))
    return items


def test_an_unreadable_item_is_recorded_with_the_reason_and_the_others_are_scored(
    small_models: Models, recorded: list[Item], tmp_path: Path
) -> None:
    plan = plan_runs(recorded, conditions("base", "text"), small_models)
    lengths = {one.idx: RATE for one in recorded}
    batches = make_batches(recorded, lengths, plan, 2)
    with ItemRecords(tmp_path / "evaluation", "key", lambda names: {}) as records:
        evaluate_batches(batches, lengths, plan, small_models, records, SETTINGS, no_progress)
        assert set(records.known) == {("0", "base"), ("0", "domain0")}
        assert "1-mixture.wav" in records.failed["1"]


def test_what_is_recorded_is_not_separated_again(small_models: Models, recorded: list[Item], tmp_path: Path) -> None:
    one = recorded[:1]
    lengths = {"0": RATE}
    steps: list[int] = []
    for _ in range(2):
        plan = plan_runs(one, conditions("base"), small_models)
        with ItemRecords(tmp_path / "evaluation", "key", lambda names: {}) as records:
            steps.clear()
            evaluate_batches(
                make_batches(one, lengths, plan, 1), lengths, plan, small_models, records, SETTINGS,
                lambda done, total, what: steps.append(done),
            )  # fmt: skip
    assert steps == [1]  # only the end is reported: no batch was open
