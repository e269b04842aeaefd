"""Published files: golden parity of all four methods, lossless import and export, and what is wrong in such files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import weights_fill
from small_networks import SMALL, loaded, small_network

from dplass_cli.adapters import adapted
from dplass_cli.adapters.dplass_format import DplassFile, contained_base, from_published, read_published, to_published
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel
from dplass_cli.models.audiosep_checkpoint import transform_kernels, write_checkpoint
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank

GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = {"reconv": "reconv", "conv_lora": "lora", "conv_dora": "dora", "conv_adapter": "conv-adapter"}


def layout(kind: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{kind}_layout.json").read_text())
    return content


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: Any) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def state(kind: str) -> dict[str, torch.Tensor]:
    """A whole wrapped model as published code saves it, filled by the formula, every entry in the layout's order."""
    content = layout(kind)
    shapes = {e["key"]: e["shape"] for e in content["entries"] if e["dtype"] == "float32"}
    filled = weights_fill.fill(shapes, set(content["transposed_conv_keys"]))
    kernels = {f"model.base.{key}": value for key, value in transform_kernels(2048).items()}
    counts = {e["key"]: torch.tensor(7) for e in content["entries"] if e["dtype"] == "int64"}
    values = {**{key: torch.from_numpy(value) for key, value in filled.items()}, **kernels, **counts}
    return {entry["key"]: values[entry["key"]] for entry in content["entries"]}


@pytest.fixture(scope="module")
def file(state: dict[str, torch.Tensor], kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(kind) / "cluster3_model.pt"
    write_checkpoint(path, {"dora_state_dict": state})
    return path


@pytest.fixture(scope="module")
def published(file: Path) -> DplassFile:
    return read_published(file)


@pytest.fixture(scope="module")
def base(published: DplassFile) -> BaseModel:
    return contained_base(published)


def close(output: torch.Tensor, expected: Any) -> None:
    np.testing.assert_allclose(output, expected, atol=1e-6)
    difference = output.numpy() - expected
    assert np.sqrt(np.square(difference).mean() / np.square(expected).mean()) <= 1e-5


def test_golden_parity_attached_activated_and_restored(
    kind: str, published: DplassFile, base: BaseModel, golden_network: dict[str, Any]
) -> None:
    assert published.method == KINDS[kind]
    assert published.notes == ()
    adapter = from_published(published, base, base.sha256())
    trainable = sum(p.numel() for layer in adapter.layers.values() for p in layer.parameters())
    assert trainable == layout(kind)["totals"]["trainable_parameters"]
    mixture, condition = (torch.from_numpy(golden_network[name]) for name in ("mixture", "condition"))
    bank = AdapterBank(base)
    bank.add("domain3", adapter)
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    with np.load(GOLDEN / f"{kind}_io.npz") as expected, torch.inference_mode():
        with adapted(base, adapter.layers):
            close(base(mixture, condition), expected["waveform_eval"])
        bank.activate("domain3")
        close(base(mixture, condition), expected["waveform_eval"])
        batch = tuple(torch.from_numpy(golden_network[f"{name}_batch"]) for name in ("mixture", "condition"))
        close(base(*batch), expected["waveform_batch_eval"])
        bank.activate(None)
        close(base(mixture, condition), expected["waveform_neutral_eval"])
    assert all(torch.equal(before[name], tensor) for name, tensor in base.state_dict().items())


def test_layers_and_scales_are_dplasss(kind: str, published: DplassFile, base: BaseModel) -> None:
    adapter = from_published(published, base, "")
    assert list(adapter.layers) == [entry["path"].removeprefix("model.") for entry in layout(kind)["adapted_layers"]]
    for (path, layer), entry in zip(adapter.layers.items(), layout(kind)["adapted_layers"], strict=True):
        if "scaling" in entry:
            assert layer.scale == pytest.approx(entry["scaling"], rel=1e-12), path
        else:
            assert (layer.alpha, layer.down.shape[0]) == (entry["alpha"], entry["mid_channels"]), path  # type: ignore[union-attr]


def test_export_gives_back_the_same_tensors_in_the_same_order(
    published: DplassFile, base: BaseModel, state: dict[str, torch.Tensor]
) -> None:
    exported = to_published(from_published(published, base, ""), base)
    assert list(exported) == ["dora_state_dict"]
    again = exported["dora_state_dict"]
    assert list(again) == list(state)
    for key, tensor in state.items():
        assert again[key].dtype == tensor.dtype
        assert torch.equal(again[key], tensor), key


def test_a_bank_loads_the_file_directly(file: Path, base: BaseModel) -> None:
    bank = AdapterBank(base)
    assert bank.load(file) == ["domain3"]
    bank.activate("domain3")
    assert bank.active == "domain3"
    bank.activate(None)


# The rest needs no full width.


def wrapped(method: str, network: BaseModel, tmp_path: Path, **changes: Any) -> Path:
    """A published file of a small network."""
    adapter = loaded(network, AdapterSettings(method), statistics=changes.pop("statistics", None))
    state = to_published(adapter, network)["dora_state_dict"]
    for key, value in changes.items():
        state[key] = value
    path = tmp_path / "cluster0_model.pt"
    write_checkpoint(path, {"dora_state_dict": state})
    return path


FIRST = "model.base.encoder_block1.conv_block1.conv1"


def test_a_merged_weight_is_not_used_as_the_frozen_one(tmp_path: Path) -> None:
    network = small_network()
    path = wrapped("lora", network, tmp_path, **{f"{FIRST}.conv.weight": torch.ones(4, 4, 3, 3)})
    published = read_published(path)
    assert (
        "conv1: conv.weight is not the frozen weight (an evaluation merged it); W0 is used instead"
        in published.notes[0]
    )
    from_published(published, network, "")  # the frozen weights are those of the base


def test_film_adapters_are_left_out_with_a_note(tmp_path: Path) -> None:
    network = small_network()
    film = "model.film.encoder_block1->conv_block1->beta1"
    state = torch.load(wrapped("lora", network, tmp_path), weights_only=True)["dora_state_dict"]
    weight, bias = state.pop(f"{film}.weight"), state.pop(f"{film}.bias")
    state |= {f"{film}.linear.weight": weight, f"{film}.linear.bias": bias, f"{film}.W0": weight}
    state |= {f"{film}.lora_A": torch.zeros(4, 4), f"{film}.lora_B": torch.zeros(4, 8)}
    write_checkpoint(tmp_path / "film.pt", {"dora_state_dict": state})
    published = read_published(tmp_path / "film.pt")
    assert published.notes == (
        "1 adapters of FiLM maps are left out: DP-LASS's forward pass never reads them, so they have no effect",
    )
    assert not any(path.startswith("film") for path in from_published(published, network, "").layers)


def test_moved_statistics_belong_to_the_adapter_and_not_to_the_base(tmp_path: Path) -> None:
    network = small_network()
    moved = {
        "base.bn0.running_mean": torch.full((129,), 0.25),
        "base.encoder_block1.conv_block1.bn1.running_var": torch.full((4,), 2.0),
        "base.bn0.num_batches_tracked": torch.tensor(31),
    }
    path = wrapped("dora", network, tmp_path, statistics=moved)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    adapter = from_published(read_published(path), network, network.sha256())
    assert adapter.info.batchnorm == "adapt"
    assert adapter.statistics.keys() == moved.keys()
    bank = AdapterBank(network)
    bank.load(path)
    bank.activate("domain0")
    assert torch.equal(network.base.bn0.running_mean, moved["base.bn0.running_mean"])  # type: ignore[arg-type]
    bank.activate({"domain0": 0.5})
    half = 0.5 * own["base.bn0.running_mean"] + 0.5 * 0.25
    torch.testing.assert_close(network.base.bn0.running_mean, half)
    bank.activate(None)
    assert all(torch.equal(own[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(
        to_published(adapter, network)["dora_state_dict"]["model.base.bn0.num_batches_tracked"], torch.tensor(31)
    )


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network, other = small_network(), small_network(seed=9)
    path = wrapped("reconv", network, tmp_path)
    with pytest.raises(InputError, match=r"frozen weights are not those of .*tensors differ: base\."):
        from_published(read_published(path), other, "")
    with pytest.raises(InputError, match="another configuration"):
        from_published(read_published(path), small_network(config=replace(SMALL, channels=(4, 8))), "")
    with pytest.raises(InputError, match="not weights of this network"):
        contained_base(read_published(path))  # which is of the published width where nothing else is said
    assert contained_base(read_published(path), SMALL).sha256() == network.sha256()
    nan = wrapped("lora", network, tmp_path, **{f"{FIRST}.lora_A": torch.full((4, 4), torch.nan)})
    with pytest.raises(InputError, match=r"conv1.up contains values that are not finite"):
        from_published(read_published(nan), network, "")
    mixed = wrapped("lora", network, tmp_path, **{f"{FIRST}.magnitude": torch.ones(4)})
    with pytest.raises(InputError, match="mixes the methods dora, lora"):
        read_published(mixed)
    for shape in ((4,), (4, 0), ()):
        odd = wrapped("lora", network, tmp_path, **{f"{FIRST}.lora_A": torch.ones(shape)})
        with pytest.raises(InputError, match=r"lora_A has shape .*; the file is damaged"):
            read_published(odd)
    partial = wrapped("conv-adapter", network, tmp_path)
    state = torch.load(partial, weights_only=True)["dora_state_dict"]
    del state[f"{FIRST}.channel_down.weight"]
    write_checkpoint(partial, {"dora_state_dict": state})
    with pytest.raises(InputError, match="which is not a known method"):
        read_published(partial)
    write_checkpoint(tmp_path / "base.pt", {"state_dict": {}, "dora_state_dict": {"base.x": torch.ones(1)}})
    with pytest.raises(InputError, match=r"not a DP-LASS adapter file \('dora_state_dict' with tensors model\.…\)"):
        read_published(tmp_path / "base.pt")
    write_checkpoint(tmp_path / "plain.pt", {"dora_state_dict": {"model.base.bn0.weight": torch.ones(1)}})
    with pytest.raises(InputError, match="contains no adapter that has an effect"):
        read_published(tmp_path / "plain.pt")
    (tmp_path / "cut.pt").write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_published(tmp_path / "cut.pt")


def test_adapters_that_the_format_cannot_represent_are_refused() -> None:
    network = small_network()
    with pytest.raises(InputError, match="never reads adapters of FiLM maps"):
        to_published(loaded(network, AdapterSettings("lora", ("film",))), network)
    with pytest.raises(InputError, match="ConvTranspose2d; in DP-LASS files lora adapts convolutions only"):
        to_published(loaded(network, AdapterSettings("lora", ("upsample",))), network)
