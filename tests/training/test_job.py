"""What a job trains and writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_jobs import corpus
from small_networks import small_network

from dplass_cli.adapters.adapter_folder import AdapterInfo, load_adapter
from dplass_cli.adapters.injection import layer_settings
from dplass_cli.models import BaseModel
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.parse import to_mapping
from dplass_cli.training.job import Which, adapter_job, network_job
from dplass_cli.training.train_result import Trained


@pytest.fixture
def network() -> BaseModel:
    return small_network()


def info(network: BaseModel) -> AdapterInfo:
    settings = AdapterSettings()
    return AdapterInfo(
        settings.method,
        layer_settings(network, settings),
        network.sha256(),
        to_mapping(network.config),
        domain={"id": 1, "name": "tones"},
        training={"batch_size_per_device": 2},
    )


def folders(path: Path) -> dict[Which, Path]:
    return {"best": path / "best", "last": path / "last"}


def test_an_adapter_is_all_that_is_trainable(network: BaseModel, tmp_path: Path) -> None:
    with adapter_job(network, corpus(tmp_path), 1, info(network), folders(tmp_path)) as job:
        trainable = {name for name, parameter in job.network.named_parameters() if parameter.requires_grad}
        assert trainable
        assert not trainable & set(small_network().state_dict())
        assert (job.name, job.adapt_batchnorm, len(job.samples), len(job.validation)) == ("domain1", False, 4, 2)


def test_after_its_job_the_network_is_the_base_again(network: BaseModel, tmp_path: Path) -> None:
    before = network.sha256()
    with adapter_job(network, corpus(tmp_path), 1, info(network), folders(tmp_path)):
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.data.add_(1.0)
    assert network.sha256() == before


def test_an_exported_adapter_says_how_it_was_trained_and_what_it_reached(network: BaseModel, tmp_path: Path) -> None:
    with adapter_job(network, corpus(tmp_path), 1, info(network), folders(tmp_path)) as job, torch.no_grad():
        job.export("best", Trained(steps=7, best_sdri=2.5, best_si_sdr=1.5, validation_mixtures=2))
    described = load_adapter(tmp_path / "best", network, network.sha256()).info
    assert described.training == {"batch_size_per_device": 2, "steps": 7, "which": "best"}
    assert described.metrics == {"val_sdri": 2.5, "val_si_sdr": 1.5, "val_mixtures": 2}
    assert described.domain == {"id": 1, "name": "tones"}


def test_adapters_start_from_the_seed(tmp_path: Path) -> None:
    def exported(seed: int, name: str) -> dict[str, torch.Tensor]:
        network = small_network()
        lora = AdapterSettings("lora")
        described = replace(info(network), method="lora", layers=layer_settings(network, lora))
        data = replace(corpus(tmp_path / "audio"), seed=seed)
        with adapter_job(network, data, 1, described, folders(tmp_path / name)) as job, torch.no_grad():
            job.export("last", Trained())
        return load_file(tmp_path / name / "last" / "adapter.safetensors")

    first, again, other = exported(1, "a"), exported(1, "b"), exported(2, "c")
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_of_a_whole_network_everything_that_is_read_is_trained(network: BaseModel, tmp_path: Path) -> None:
    files: dict[Which, Path] = {"best": tmp_path / "base.safetensors", "last": tmp_path / "base_last.safetensors"}
    with network_job(network, corpus(tmp_path), "base", [0, 1], "encoder", files) as job, torch.no_grad():
        frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
        assert frozen == {name for name, _ in network.named_parameters() if network.is_unread(name)}
        assert (job.name, job.adapt_batchnorm, len(job.samples), len(job.validation)) == ("base", True, 8, 4)
        job.export("last", Trained())
    assert files["last"].is_file()
    assert not any(parameter.requires_grad for parameter in network.parameters())
