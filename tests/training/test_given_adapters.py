"""Adapters that a training goes on from: the same weights at first, and only those that fit the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_corpus import options

from dplass_cli.adapters.adapter_folder import LoadedAdapter
from dplass_cli.adapters.injection import adapter_state
from dplass_cli.errors import InputError
from dplass_cli.models import load_base
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.train import train
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.training.training_run import TrainingRun

ADAPTER = AdapterSettings(method="lora", rank=2, batchnorm="adapt")


def asked(corpus: Path, workspace: Path, **changed: Any) -> TrainOptions:
    given = options(corpus, workspace, epochs=1)
    return replace(given, adapter=ADAPTER, domain="0,1", **changed)


@pytest.fixture(scope="module")
def bank(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters of two of the three domains, trained at a high rate."""
    return train(asked(corpus, tmp_path_factory.mktemp("bank") / "run")).output


def trained_adapter(corpus: Path, bank: Path) -> LoadedAdapter:
    loaded = AdapterBank(load_base(corpus / "base.safetensors"))
    loaded.load(bank)
    return loaded.get("domain0")


def test_a_training_goes_on_from_the_weights_and_statistics_of_its_domains(
    corpus: Path, bank: Path, tmp_path: Path
) -> None:
    before = trained_adapter(corpus, bank)
    given = asked(corpus, tmp_path / "run", adapters=(str(bank),))
    slow = replace(given.train, optimizer=replace(given.train.optimizer, learning_rate=1e-9), max_steps=1)
    after = trained_adapter(corpus, train(replace(given, domain="0", train=slow)).output)
    state = adapter_state(after.layers)
    for name, tensor in adapter_state(before.layers).items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-6)
    assert any(tensor.abs().max() > 1e-3 for name, tensor in state.items() if name.endswith("down"))  # untrained: 0
    counts = [name for name in before.statistics if name.endswith("num_batches_tracked")]
    assert counts
    assert all(after.statistics[name] == before.statistics[name] + 1 for name in counts)
    assert after.info.training["trained_before"] == before.info.training


def test_further_training_changes_the_adapters_and_leaves_the_given_ones(
    corpus: Path, bank: Path, tmp_path: Path
) -> None:
    before = trained_adapter(corpus, bank)
    after = trained_adapter(corpus, train(asked(corpus, tmp_path / "run", adapters=(str(bank),))).output)
    same, state = trained_adapter(corpus, bank), adapter_state(after.layers)
    for name, tensor in adapter_state(before.layers).items():
        assert torch.equal(adapter_state(same.layers)[name], tensor)
        assert not torch.equal(state[name], tensor)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"domain": "all"}, r"--adapters: contains domain0, domain1, but no domain2; choose among them with --domain"),
        ({"adapter": AdapterSettings(rank=2, method="dora")}, r"domain0 \(lora\) was made with other settings than"),
        ({"adapter": replace(ADAPTER, rank=3)}, r"domain0 \(lora\) was made with other settings than"),
        ({"adapter": replace(ADAPTER, batchnorm="frozen")}, r"was made with other settings than this run \(lora\)"),
    ],
)
def test_adapters_that_do_not_fit_the_run_are_refused(
    corpus: Path, bank: Path, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        TrainingRun(replace(asked(corpus, tmp_path / "run", adapters=(str(bank),)), **changed))
    assert not (tmp_path / "run").exists()


def test_adapters_of_another_partition_are_refused(corpus: Path, bank: Path, tmp_path: Path) -> None:
    other = tmp_path / "partition"
    partition(PartitionOptions(corpus / "train.json", other, domains=2, features="text", val_mixtures=1))
    given = replace(asked(corpus, tmp_path / "run", adapters=(str(bank),)), partition=other)
    with pytest.raises(InputError, match=r"--adapters: domain\d .* was trained on a domain of another partition"):
        TrainingRun(given)
