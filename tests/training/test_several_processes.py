"""Several processes: two that train one adapter together, and domains trained in parallel."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_corpus import losses, options, same_adapter
from small_networks import fresh, small_network

from dplass_cli.adapters import adapted
from dplass_cli.data.batches import EpochBatches
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.pipelines.train import train


def one_step(corpus: Path, workspace: Path, batch: int, *more: str) -> dict[str, torch.Tensor]:
    """A step of plain gradient descent, rate 1: the adapter is minus the gradient."""
    settings = {
        "train.num_workers": 0, "train.batch_size_per_device": batch, "train.optimizer.optimizer_type": "SGD",
        "train.optimizer.learning_rate": 1.0, "train.optimizer.schedule": "constant", "train.gradient_clip": 0,
        "train.optimizer.momentum": 0,
    }  # fmt: skip
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [
        sys.executable, "-m", "dplass_cli", "train", "--data", str(corpus / "partition"), "--workspace", str(workspace),
        "--base-checkpoint", str(corpus / "base.safetensors"), "--encoder", "tiny", "--domain", "1", "--device", "cpu",
        "--json", *chosen, *more,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["domains"]["1"]["steps"]  # only one process prints
    return load_file(workspace / "bank_last" / "domain1" / "adapter.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2])  # the second step has one item for two processes
def test_two_processes_take_the_step_of_one_with_twice_the_batch(corpus: Path, tmp_path: Path, steps: int) -> None:
    limit = ("--max-steps", str(steps), "--max-epochs", "1")
    one = one_step(corpus, tmp_path / "one", 4, *limit)
    two = one_step(corpus, tmp_path / "two", 2, *limit, "--num-gpus", "2", "--strategy", "ddp")
    whole, shared = (torch.cat([found[name].double().flatten() for name in sorted(one)]) for found in (one, two))
    assert float((shared - whole).abs().max()) < 1e-5
    # float32 rounds each batch size differently; the shares themselves are exact, as the next test shows.
    assert float((shared - whole).norm()) < 1e-4 * float(whole.norm())
    one_row, two_row = (losses(tmp_path / name, "domain1")[0] for name in ("one", "two"))
    sdri = (row.pop("val_sdri") for row in (one_row, two_row))
    assert two_row == pytest.approx(one_row, rel=1e-5)
    assert abs(next(sdri) - next(sdri)) < 1e-4  # dB; near 0 dB it has no relative precision


def test_the_gradients_of_shares_average_to_the_batch_gradient() -> None:
    """In float64, for full and for uneven batches."""
    network = small_network().double()
    generator = torch.Generator().manual_seed(0)
    mixture, target = (torch.randn(5, 1, 2000, generator=generator, dtype=torch.float64) for _ in range(2))
    condition = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    with adapted(network, fresh(network, AdapterSettings())):
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]

        def gradient(batches: EpochBatches, index: int) -> torch.Tensor:
            items = list(batches)[index]
            error = (network(mixture[items], condition[items]) - target[items]).square().mean(dim=(1, 2))
            parts = torch.autograd.grad(error.mean() * batches.weight(index), trained)
            return torch.cat([part.flatten() for part in parts])

        for index in (0, 1):  # four items; then the fifth alone, and none for the second process
            whole = gradient(EpochBatches(5, 4), index)
            shares = torch.stack([gradient(EpochBatches(5, 2, rank, 2), index) for rank in (0, 1)])
            assert float((shares.mean(dim=0) - whole).norm()) < 1e-6 * float(whole.norm())


@pytest.mark.slow
def test_domains_trained_in_parallel_equal_those_trained_one_after_another(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path / "side", epochs=2)
    names: list[str] = []
    result = train(replace(given, parallel=2), lambda done, total, what: names.append(what.partition(":")[0]))
    assert set(names) == {"domain0", "domain1", "domain2"}
    after = train(replace(given, workspace=tmp_path / "after"))
    assert sorted(result.domains) == sorted(after.domains) == [0, 1, 2]
    same_adapter(tmp_path / "side", tmp_path / "after")
    assert (tmp_path / "side" / "bank" / "bank.json").read_text() == (
        tmp_path / "after" / "bank" / "bank.json"
    ).read_text()
