"""The adapter folder: the same bits back, small files, and refusals that name what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_networks import EVERYWHERE, SMALL, loaded, small_network

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.adapter_folder import (
    AdapterInfo,
    LoadedAdapter,
    load_adapter,
    require_separate_output,
    save_adapter,
)
from dplass_cli.adapters.base import LayerSettings
from dplass_cli.adapters.injection import adapter_state, layer_settings, make_adapters
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.parse import to_mapping

STATISTICS = {"base.bn0.running_mean": torch.arange(129.0), "base.bn0.num_batches_tracked": torch.tensor(5)}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("method", list(METHODS))
def test_save_and_load_give_the_same_bits(method: str, dtype: Any, tmp_path: Path) -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings(method, EVERYWHERE, dtype=dtype), statistics=dict(STATISTICS))
    save_adapter(tmp_path / "a", adapter)
    again = load_adapter(tmp_path / "a", network, network.sha256())
    assert again.info == adapter.info
    state = adapter_state(again.layers)
    assert list(state) == list(adapter_state(adapter.layers))
    for key, value in adapter_state(adapter.layers).items():
        assert torch.equal(state[key], value.to(getattr(torch, dtype)).float())
    assert all(torch.equal(again.statistics[key], value) for key, value in STATISTICS.items())
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["adapter.json", "adapter.safetensors"]
    assert not any(parameter.requires_grad for layer in again.layers.values() for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("method", "dtype", "limit"), [("lora", "float32", 1.2e6), ("dora", "float32", 1.2e6), ("reconv", "float16", 40e6)]
)
def test_adapters_of_the_published_network_are_small_files(
    method: str, dtype: Any, limit: float, tmp_path: Path
) -> None:
    network = ResUNet30(ResUNet30Config())
    settings = AdapterSettings(method, dtype=dtype)
    layers = layer_settings(network, settings)
    info = AdapterInfo(method, layers, "0" * 64, to_mapping(network.config), dtype=dtype)
    save_adapter(tmp_path, LoadedAdapter(make_adapters(network, method, layers), {}, info))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit


def test_values_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings(dtype="float16"))
    next(iter(adapter.layers.values())).kernel.data[0] = 1e6  # type: ignore[union-attr, operator, index]
    with pytest.raises(InputError, match="values beyond float16; save it as bfloat16"):
        save_adapter(tmp_path / "a", adapter)
    save_adapter(tmp_path / "a", replace(adapter, info=replace(adapter.info, dtype="bfloat16")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_adapter(tmp_path / "a", loaded(small_network(), AdapterSettings("lora")))
    return tmp_path / "a"


def refused(folder: Path, network: BaseModel, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_adapter(folder, network, network.sha256())


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "adapter.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_another_base_is_refused_with_both_hashes(folder: Path) -> None:
    network, other = small_network(), small_network(seed=5)
    refused(folder, other, f"another base.*{network.sha256()[:12]}.*{other.sha256()[:12]}")


def test_another_width_is_refused(folder: Path) -> None:
    wide = small_network(config=replace(SMALL, channels=(6, 6)))
    refused(folder, wide, rf"another base of another configuration \(channels\) .*{wide.sha256()[:12]}")
    edit(folder, architecture=to_mapping(wide.config), base_sha256=wide.sha256())
    refused(folder, wide, r"up has shape \[4, 4\], this network needs \[6, 4\]; .*another configuration")


def test_an_unknown_method_is_refused(folder: Path) -> None:
    edit(folder, method="lorra")
    refused(folder, small_network(), "method lorra: must be one of .*; did you mean 'lora'")


def test_a_layer_that_the_network_lacks_is_refused(folder: Path) -> None:
    edit(folder, layers={"base.encoder_block9.conv": to_mapping(LayerSettings(4, 1.0))})
    refused(folder, small_network(), "'base.encoder_block9.conv' is not a layer of this network")


def test_a_description_with_values_of_wrong_types_is_refused(folder: Path) -> None:
    edit(folder, domain={"name": "dogs"})
    refused(folder, small_network(), "domain must have an integer id and a string name, not")
    edit(folder, domain={"id": 0, "name": "dogs"}, metrics={"val_sdri": "7.1"})
    refused(folder, small_network(), "val_sdri must be a number, in dB, not '7.1'")
    for name in ("rank", "gamma"):
        with pytest.raises(ValueError, match=f"{name} 2000000: must be from 1 to 1048576"):
            AdapterSettings(**{name: 2_000_000})  # type: ignore[arg-type]


def test_damaged_files_are_refused(folder: Path) -> None:
    network = small_network()
    weights = folder / "adapter.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-20])
    refused(folder, network, r"adapter.safetensors: not a readable safetensors")
    weights.write_bytes(b"")
    refused(folder, network, "is empty")
    weights.unlink()
    refused(folder, network, "adapter.safetensors: no such file; the adapter folder is incomplete")
    weights.write_bytes(whole)
    (folder / "adapter.json").write_text('{"format": "other"}')
    refused(folder, network, "not a description of an adapter")
    (folder / "adapter.json").unlink()
    refused(folder, network, "no such file")


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network = small_network()
    adapter = loaded(
        network, AdapterSettings("dora"), statistics={"base.bn0.running_var": torch.full((129,), torch.inf)}
    )
    save_adapter(tmp_path / "statistics", adapter)
    refused(tmp_path / "statistics", network, "base.bn0.running_var contains values that are not finite")
    from safetensors.torch import load_file, save_file

    save_adapter(tmp_path / "a", loaded(network, AdapterSettings("dora")))
    tensors = load_file(tmp_path / "a" / "adapter.safetensors")
    key = next(key for key in tensors if key.endswith("magnitude"))
    tensors[key][0] = torch.nan
    save_file(tensors, tmp_path / "a" / "adapter.safetensors")
    refused(tmp_path / "a", network, f"{key} contains values that are not finite; the file is damaged")


def test_statistics_of_another_network_are_refused(tmp_path: Path) -> None:
    network = small_network()
    for name, tensor, message in (
        ("base.bn9.running_mean", torch.ones(3), "is not a batch-norm statistic of this network"),
        ("base.bn0.running_mean", torch.ones(3), r"has shape \[3\], this network needs \[129\]"),
    ):
        save_adapter(tmp_path / "a", loaded(network, AdapterSettings(), statistics={name: tensor}))
        refused(tmp_path / "a", network, message)


def test_ranks_that_the_tensors_do_not_have_are_refused(folder: Path) -> None:
    layers = json.loads((folder / "adapter.json").read_text())["layers"]
    edit(folder, layers={path: {**settings, "rank": 1_000_000} for path, settings in layers.items()})
    refused(folder, small_network(), "has no factors of rank 1000000; the folder's files do not match")


@pytest.mark.parametrize("output", ["base.bin", "a", "a/adapter.safetensors"])
def test_an_output_that_is_a_source_is_refused(folder: Path, output: str) -> None:
    base = folder.parent / "base.bin"
    base.touch()
    with pytest.raises(InputError, match="would overwrite its own source"):
        require_separate_output(folder.parent / output, folder, base)
    require_separate_output(folder.parent / "other", folder, base)
