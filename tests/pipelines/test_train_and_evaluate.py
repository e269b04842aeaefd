"""train, evaluate and separate in sequence on built-in sounds, over a small random base, through the pipelines."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from small_corpus import options, same_adapter, train_steps

from dplass_cli.adapters import METHODS, make_adapters
from dplass_cli.adapters.adapter_folder import load_adapter
from dplass_cli.errors import InputError, RunError
from dplass_cli.models import load_base
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.separate import separate
from dplass_cli.pipelines.train import train
from dplass_cli.separation.bank import AdapterBank


@pytest.fixture(scope="module")
def trained(corpus: Path) -> Path:
    workspace = corpus / "run"
    before = load_base(corpus / "base.safetensors").sha256()
    result = train(options(corpus, workspace))
    assert sorted(result.domains) == [0, 1, 2]
    assert load_base(corpus / "base.safetensors").sha256() == before
    return workspace


def test_a_workspace_has_its_documented_files(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {name for name in names if not name.startswith(".")} == {
        "bank",
        "bank_last",
        "checkpoints",
        "config.yaml",
        "inputs.json",
        "logs",
        "metrics.csv",
        "tf_logs",
    }
    with open(trained / "metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["run"], row["epoch"]) for row in rows] == [(f"domain{d}", str(e)) for d in range(3) for e in range(2)]
    assert all(float(row["train_loss"]) > 0 for row in rows)
    description = json.loads((trained / "bank" / "domain1" / "adapter.json").read_text())
    assert description["domain"]["id"] == 1
    assert description["metrics"]["val_mixtures"] == 2


def test_adapters_contain_only_their_tensors_and_differ_from_each_other(trained: Path, corpus: Path) -> None:
    network = load_base(corpus / "base.safetensors")
    bank = AdapterBank(network)
    assert bank.load(trained / "bank") == ["domain0", "domain1", "domain2"]
    outputs = []
    for key in [None, *bank.keys]:
        bank.activate(key)
        with torch.inference_mode():
            outputs.append(network(torch.ones(1, 1, 4000).cumsum(-1).sin(), torch.ones(1, 128) / 128**0.5))
    assert all(not torch.equal(a, b) for i, a in enumerate(outputs) for b in outputs[:i])
    checkpoint = torch.load(trained / "checkpoints" / "domain0" / "last.ckpt", weights_only=True)
    assert all(key.endswith(".kernel") for key in checkpoint["state_dict"])


def test_resumed_training_equals_an_uninterrupted_one(corpus: Path, trained: Path, tmp_path: Path) -> None:
    first = replace(options(corpus, tmp_path / "run", epochs=1), domain="1")
    train(first)
    with pytest.raises(InputError, match="already contains a training run; add --resume"):
        train(first)
    again = replace(options(corpus, tmp_path / "run", epochs=2), domain="1", resume=True)
    steps: list[int] = []
    assert train(again, lambda done, total, what: steps.append(done)).domains[1].steps == 2 * train_steps(corpus)
    assert min(steps) == train_steps(corpus) + 1  # no step is repeated
    steps.clear()
    assert train(again, lambda done, total, what: steps.append(done)).domains[1].steps == 2 * train_steps(corpus)
    assert not steps  # finished
    same_adapter(tmp_path / "run", trained)


def test_interrupted_training_resumes_from_its_last_epoch(corpus: Path, trained: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run"), domain="1")
    per_epoch = train_steps(corpus)

    def interrupt(done: int, total: int, what: str) -> None:
        if done == per_epoch + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(given, interrupt)
    assert not (tmp_path / "run" / "checkpoints" / "domain1" / "trained.json").exists()
    steps: list[int] = []
    train(replace(given, resume=True), lambda done, total, what: steps.append(done))
    assert min(steps) == per_epoch + 1
    same_adapter(tmp_path / "run", trained)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("batchnorm", ["frozen", "adapt"])
def test_every_method_trains_and_frozen_statistics_stay(
    corpus: Path, tmp_path: Path, method: str, batchnorm: Literal["frozen", "adapt"]
) -> None:
    base = load_base(corpus / "base.safetensors")
    adapter = AdapterSettings(method, ("conv", "decoder1.upsample", "film", "after_conv"), batchnorm=batchnorm)
    given = replace(options(corpus, tmp_path / "run", epochs=2), domain="1", adapter=adapter)
    train(given)
    trained = load_adapter(tmp_path / "run" / "bank" / "domain1", base, base.sha256())
    fresh = make_adapters(base, method, trained.info.layers)
    trained_tensor = {"reconv": "kernel", "conv-adapter": "up"}.get(method, "down")  # starts at zero
    assert all(layer.get_parameter(trained_tensor).abs().sum() > 0 for layer in trained.layers.values())
    assert all(layer.get_parameter(trained_tensor).abs().sum() == 0 for layer in fresh.values())
    assert bool(trained.statistics) == (batchnorm == "adapt")
    assert trained.info.batchnorm == batchnorm
    if batchnorm == "adapt":
        assert "base.bn0.running_var" in trained.statistics
        # Interrupted after one epoch and resumed: the statistics are resumed too.
        train(replace(given, workspace=tmp_path / "again", train=replace(given.train, max_epochs=1)))
        train(replace(given, workspace=tmp_path / "again", resume=True))
        resumed = load_adapter(tmp_path / "again" / "bank" / "domain1", base, base.sha256())
        for name, value in trained.statistics.items():
            torch.testing.assert_close(resumed.statistics[name], value, rtol=1e-5, atol=1e-7)


def test_a_wrong_target_is_refused_before_anything_is_written(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'encodr1' matches no adaptable layer"):
        train(replace(options(corpus, tmp_path / "run"), adapter=AdapterSettings(targets=("encodr1",))))
    assert not list(tmp_path.glob("run/*"))


def test_wrong_domains_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--domain 7: must be one of all, 0, 1, 2"):
        train(replace(options(corpus, tmp_path), domain="1,7"))


def test_too_many_unreadable_files_stop_training(corpus: Path, tmp_path: Path) -> None:
    content = json.loads((corpus / "partition" / "domain0.json").read_text())
    folder = tmp_path / "partition"
    folder.mkdir()
    for path in (corpus / "partition").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for item in content["data"][1:]:
        item["wav"] = str(tmp_path / "gone.wav") + item["id"]
    (folder / "domain0.json").write_text(json.dumps(content))
    given = replace(options(corpus, tmp_path / "run"), partition=folder, domain="0")
    limited = replace(given, data=replace(given.data, max_bad_files=0))
    with pytest.raises(RunError, match=r"files cannot be read.*gone.wav"):
        train(limited)
    result = train(replace(given, resume=True))
    assert 0 < len(result.domains[0].unreadable) < len(content["data"])


def evaluation(corpus: Path, trained: Path, output: Path) -> EvaluateOptions:
    return EvaluateOptions(
        metadata_csv=corpus / "mixtures.csv",
        output=output,
        base_checkpoint=str(corpus / "base.safetensors"),
        encoder="tiny",
        adapters=(str(trained / "bank"),),
        batch_size=3,
        device="cpu",
    )


def test_a_trained_bank_is_evaluated_by_every_policy(corpus: Path, trained: Path, tmp_path: Path) -> None:
    scores = evaluate(evaluation(corpus, trained, tmp_path))["custom"].scores
    policies = ["base", "text", "text-knn", "validated", "audio", "blend", "validated+residual", "oracle"]
    assert list(scores.policies) == policies
    assert {domain.split()[0] for domain in scores.domains} <= {"0", "1", "2"}
    assert scores.policies["oracle"].n == 8


def test_evaluating_adapters_with_another_base_is_refused(corpus: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"belongs to another base of another configuration .*than tiny"):
        evaluate(replace(evaluation(corpus, trained, tmp_path), base_checkpoint="tiny"))


def test_separating_with_the_bank_chooses_by_text(corpus: Path, trained: Path, tmp_path: Path) -> None:
    result = separate(
        SeparateOptions(
            output=tmp_path,
            inputs=(corpus / "rain0.wav",),
            query=("Rain", "Bark"),
            base_checkpoint=str(corpus / "base.safetensors"),
            encoder="tiny",
            adapters=(str(trained / "bank"),),
            device="cpu",
        )
    )
    chosen = {target.query: target.adapter for target in result.written[str(corpus / "rain0.wav")]}
    described = json.loads((corpus / "partition" / "partition.json").read_text())["domains"]
    for query, key in chosen.items():
        assert key == next(f"domain{domain['id']}" for domain in described if query in domain["captions"])
