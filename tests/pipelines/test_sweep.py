"""The pipeline ``sweep``: a real search that is interrupted and resumed, and wrong configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from small_captions import encoder_options, write_clips
from small_corpus import train_steps

from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.sweep_options import SweepOptions
from dplass_cli.pipelines.sweep import sweep

RATES = [1e-30, 1e-2]


def write(folder: Path, parameters: str, trials: int = 2) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(
        f"""
encoder: tiny
device: cpu
domain: "1"
train:
  batch_size_per_device: 2
  num_workers: 0
  max_epochs: 2
  examples: 0
sweep:
  trials: {trials}
  parameters: {parameters}
"""
    )
    return path


def options(corpus: Path, folder: Path, parameters: str, trials: int = 2) -> SweepOptions:
    train = {"partition": corpus / "partition", "base_checkpoint": str(corpus / "base.safetensors")}
    return SweepOptions(write(folder, parameters, trials), folder / "search", train=train)


def test_an_interrupted_search_is_resumed_and_finds_the_better_settings(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path, f"{{train.optimizer.learning_rate: {RATES}, adapter.rank: {{low: 2, high: 6}}}}")
    reported: list[str] = []

    def kill(done: int, total: int, what: str) -> None:
        reported.append(what.partition(",")[0])
        if len(set(reported)) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(given, kill)
    assert reported[-1] == "trial0001"
    result = sweep(replace(given, seeds=2), lambda done, total, what: reported.append(what.partition(",")[0]))
    assert (
        "trial0000" not in reported[len(reported) - reported[::-1].index("trial0001") :]
    )  # a finished training is not repeated
    assert [trial.folder for trial in result.trials] == ["trial0000", "trial0001"]
    assert {trial.state for trial in result.trials} == {"complete"}
    assert all(2 <= trial.settings["adapter.rank"] <= 6 for trial in result.trials)
    scores = {trial.folder: trial.sdri for trial in result.trials}
    assert all(score is not None for score in scores.values())
    best = max(result.trials, key=lambda trial: trial.sdri or 0.0)
    assert result.best == best.settings or len({trial.sdri for trial in result.trials}) == 1
    assert list(result.seeds) == [42, 43]
    assert result.mean == pytest.approx(sum(result.seeds.values()) / 2)
    assert (tmp_path / "search" / "sweep.json").is_file()
    assert (tmp_path / "search" / f"{best.folder}_seed43" / "bank" / "bank.json").is_file()
    assert sweep(replace(given, seeds=2)) == result  # everything is finished
    assert train_steps(corpus)
    for other in ("[1e-3, 1e-2]", "{low: 1e-3, high: 1e-2}"):
        with pytest.raises(InputError, match="learning_rate: the sweep in this workspace was started"):
            sweep(options(corpus, tmp_path, f"{{train.optimizer.learning_rate: {other}}}", trials=3))
    with pytest.raises(InputError, match=r"was started with train.max_epochs 2, not 3; restore it"):
        sweep(replace(given, train={**given.train, "train.max_epochs": 3}))


def test_domains_of_one_epoch_have_successive_steps(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path, f"{{train.optimizer.learning_rate: {RATES[1:]}}}", trials=1)
    given = replace(given, train={**given.train, "domain": "0,1", "train.max_epochs": 1})
    reported: list[str] = []

    def kill(done: int, total: int, what: str) -> None:
        reported.append(what)
        if "domain1" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(given, kill)
    sweep(given)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "search" / "sweep.journal")))
    cut, again = optuna.load_study(study_name="dplass", storage=storage).get_trials()
    assert list(cut.intermediate_values) == [0]
    assert list(again.intermediate_values) == [1]


def test_wrong_ranges_are_refused_before_anything_is_written(corpus: Path, tmp_path: Path) -> None:
    wrong = {
        "{train.optimizer.learning_rat: [1, 2]}": "; did you mean 'train.optimizer.learning_rate'",
        "{rank: [1, 2]}": "sweep.parameters.rank: unknown option 'rank'; did you mean 'adapter.rank'",
        "{adapter.method: [reconv, lorra]}": "--adapter lorra: must be one of reconv, lora, dora, conv-adapter",
        "{train.loss_type: [l2]}": "train.loss_type l2: must be one of",
        "{adapter.rank: {low: 4, high: 2}}": "adapter.rank: low 4.0: must be below high, 2.0",
        "{adapter.rank: 3}": "must be a list of choices, or low, high and log",
        "{adapter.rank: [0]}": "adapter.rank 0: must be from 1 to",
        "{}": "declares no ranges",
    }
    for parameters, message in wrong.items():
        with pytest.raises(InputError, match=message):
            sweep(options(corpus, tmp_path, parameters))
    with pytest.raises(InputError, match="trials 0: must be at least 1"):
        sweep(options(corpus, tmp_path, "{adapter.rank: [2]}", trials=0))
    (tmp_path / "sweep.yaml").write_text("sweep: 3")
    with pytest.raises(InputError, match="sweep must be a section with 'parameters:', not 3"):
        sweep(SweepOptions(tmp_path / "sweep.yaml", tmp_path / "search"))
    assert not (tmp_path / "search").exists()


def test_encoders_are_compared_by_their_retrieval(tmp_path: Path) -> None:
    manifest = write_clips(tmp_path)
    given = encoder_options(manifest, tmp_path / "unused", epochs=1)
    path = tmp_path / "sweep.yaml"
    path.write_text("{what: encoder, sweep: {trials: 2, parameters: {contrastive.hard_negatives: [0.0, 0.5]}}}")
    train = {name: getattr(given, name) for name in ("partition", "device")}
    nested = {name: to_mapping(getattr(given, name)) for name in ("towers", "contrastive", "train")}
    result = sweep(SweepOptions(path, tmp_path / "search", train={**train, **nested}))
    assert result.measure == "mAP@10"
    assert all(trial.score is not None and 0 < trial.score <= 1 and trial.sdri is None for trial in result.trials)
    assert (tmp_path / "search" / "trial0001" / "encoder.safetensors").is_file()
