"""ReConv: golden parity, exact merging, and the contract of adapters."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dplass_cli.adapters import AdapterSettings, eject, inject, make_adapters, targets
from dplass_cli.adapters.files import AdapterInfo, load_adapter, save_adapter
from dplass_cli.adapters.injection import adapter_state, load_adapter_state
from dplass_cli.adapters.reconv import ReConv
from dplass_cli.configuration import to_mapping
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel
from dplass_cli.models.resunet30 import ResUNet30Config
from dplass_cli.separation.bank import AdapterBank

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = ResUNet30Config(
    condition_size=8, n_fft=256, hop=80, pre_channels=4, channels=(4, 6), downsample=((2, 2), (1, 2))
)


def small_network(seed: int = 0) -> BaseModel:
    torch.manual_seed(seed)
    return BaseModel(SMALL).eval().requires_grad_(False)


def perturb(adapters: Any, seed: int = 1, size: float = 0.3) -> None:
    generator = torch.Generator().manual_seed(seed)
    for adapter in adapters.values():
        with torch.no_grad():
            adapter.kernel.add_(size * torch.randn(adapter.kernel.shape, generator=generator))


def saved(folder: Path, network: BaseModel, seed: int = 1) -> Path:
    adapters = make_adapters(network, AdapterSettings())
    perturb(adapters, seed)
    save_adapter(folder, adapters, AdapterInfo(AdapterSettings(), network.sha256(), to_mapping(SMALL), "e"))
    return folder


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 1, 2000, generator=generator), torch.randn(2, 8, generator=generator)


def golden_parts() -> tuple[BaseModel, dict[str, torch.Tensor]]:
    """The wrapped published model: its base, and its adapters' tensors under our names."""
    import weights_fill

    layout = json.loads((GOLDEN / "reconv_layout.json").read_text())
    shapes = {entry["key"]: entry["shape"] for entry in layout["entries"] if entry["dtype"] == "float32"}
    filled = weights_fill.fill(shapes, set(layout["transposed_conv_keys"]))
    base, adapter = {}, {}
    for key, value in filled.items():
        name = key.removeprefix("model.")
        if name.endswith(".lora_adapter.weight"):
            adapter[name.replace(".lora_adapter.weight", ".kernel")] = torch.from_numpy(value)
        else:
            base[name.replace(".conv.weight", ".weight")] = torch.from_numpy(value)
    network = BaseModel().eval().requires_grad_(False)
    assert not network.load_state_dict(base, strict=False).unexpected_keys
    return network, adapter


def test_golden_parity_unmerged_and_merged(golden_network: dict[str, Any]) -> None:
    network, tensors = golden_parts()
    adapters = make_adapters(network, AdapterSettings())
    load_adapter_state(adapters, tensors, "golden")
    assert sum(a.kernel.numel() for a in adapters.values()) == 19_012_608  # type: ignore[union-attr, operator]
    mixture, condition = (torch.from_numpy(golden_network[name]) for name in ("mixture", "condition"))
    with np.load(GOLDEN / "reconv_io.npz") as archive, torch.inference_mode():
        expected, neutral = archive["waveform_eval"], archive["waveform_neutral_eval"]
        inject(network, adapters)
        unmerged = network(mixture, condition)
        eject(network, adapters)
        np.testing.assert_allclose(network(mixture, condition), neutral, atol=1e-6)
        for path, adapter in adapters.items():
            network.get_submodule(path).weight.data = adapter(network.get_submodule(path).weight.data)
        merged = network(mixture, condition)
    for output in (unmerged, merged):
        np.testing.assert_allclose(output, expected, atol=1e-6)
        difference = output.numpy() - expected
        assert np.sqrt(np.square(difference).mean() / np.square(expected).mean()) <= 1e-5


def test_scales_are_the_published_ones() -> None:
    layers = json.loads((GOLDEN / "reconv_layout.json").read_text())["adapted_layers"]
    adapters = make_adapters(BaseModel(), AdapterSettings())
    assert list(adapters) == [layer["path"].removeprefix("model.") for layer in layers]
    for adapter, layer in zip(adapters.values(), layers, strict=True):
        assert isinstance(adapter, ReConv)
        assert adapter.scale == pytest.approx(layer["scaling"], rel=1e-12)


def test_one_convolution_equals_two_in_float64() -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(6, 4, 3, 3, dtype=torch.float64), torch.randn(2, 4, 9, 7, dtype=torch.float64)
    adapter = ReConv(weight, rank=4, alpha=8.0).double()
    torch.nn.init.normal_(adapter.kernel)
    two = F.conv2d(x, weight, padding=1) + 8.0 / (3 * 3 * 4) * F.conv2d(x, adapter.kernel, padding=1)
    torch.testing.assert_close(F.conv2d(x, adapter(weight), padding=1), two, atol=1e-9, rtol=0)


def test_fresh_adapter_changes_nothing_and_ejecting_restores_bits(inputs: Any) -> None:
    network = small_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    expected = network(*inputs)
    adapters = make_adapters(network, AdapterSettings())
    inject(network, adapters)
    torch.testing.assert_close(network(*inputs), expected, atol=0, rtol=0)
    perturb(adapters)
    assert not torch.allclose(network(*inputs), expected, atol=1e-4)
    eject(network, adapters)
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_gradients_reach_adapters_only(inputs: Any) -> None:
    network = small_network()
    adapters = make_adapters(network, AdapterSettings())
    inject(network, adapters)
    perturb(adapters)
    network(*inputs).square().mean().backward()
    with_gradient = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert with_gradient == {f"{path}.parametrizations.weight.0.kernel" for path in adapters}
    assert all(adapter.kernel.grad.abs().sum() > 0 for adapter in adapters.values())  # type: ignore[union-attr, operator]


def test_save_and_load_give_the_same_bits(tmp_path: Path) -> None:
    network = small_network()
    adapters = make_adapters(network, AdapterSettings())
    perturb(adapters)
    info = AdapterInfo(AdapterSettings(), network.sha256(), to_mapping(SMALL), "e", {"id": 3, "name": "x"})
    save_adapter(tmp_path / "a", adapters, info)
    loaded, read = load_adapter(tmp_path / "a", network, network.sha256())
    assert read == info
    state = adapter_state(loaded)
    assert all(torch.equal(state[key], value) for key, value in adapter_state(adapters).items())
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["adapter.json", "adapter.safetensors"]


def test_bank_switches_and_restores_bits(tmp_path: Path, inputs: Any) -> None:
    network = small_network()
    first, second = saved(tmp_path / "one", network, 1), saved(tmp_path / "two", network, 2)
    expected = {None: network(*inputs)}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for key, folder in (("one", first), ("two", second)):
        adapters, _ = load_adapter(folder, network, network.sha256())
        inject(network, adapters)
        expected[key] = network(*inputs)
        eject(network, adapters)
    bank = AdapterBank(network)
    assert bank.load(first) + bank.load(second) == ["one", "two"]
    for key in ("one", "two", None, "two", "two", "one", None):
        bank.activate(key)
        torch.testing.assert_close(network(*inputs), expected[key], atol=1e-6, rtol=0)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_blend_is_linear_and_one_hot_is_the_adapter(tmp_path: Path) -> None:
    network = small_network()
    bank = AdapterBank(network)
    for name, seed in (("one", 1), ("two", 2)):
        bank.load(saved(tmp_path / name, network, seed))
    layer = network.get_submodule(targets(network)[0].path)
    weights = {}
    for which in (None, "one", "two"):
        bank.activate(which)
        weights[which] = layer.weight.clone()
    bank.activate({"one": 1.0, "two": 0.0})
    torch.testing.assert_close(layer.weight, weights["one"])
    bank.activate({"one": 0.3, "two": 0.5})
    blended = 0.2 * weights[None] + 0.3 * weights["one"] + 0.5 * weights["two"]
    torch.testing.assert_close(layer.weight, blended)


def test_wrong_adapters_are_refused(tmp_path: Path) -> None:
    network, other = small_network(), small_network(seed=5)
    folder = saved(tmp_path / "a", network)
    with pytest.raises(InputError, match=f"another base.*{network.sha256()[:12]}.*{other.sha256()[:12]}"):
        AdapterBank(other).load(folder)
    with pytest.raises(InputError, match="unknown; did you mean 'reconv'"):
        make_adapters(network, AdapterSettings(method="recon"))
    with pytest.raises(InputError, match="not given for bottleneck"):
        make_adapters(network, AdapterSettings(alpha={"encoder1": 1, "encoder2": 1, "decoder1": 1, "decoder2": 1}))
    with pytest.raises(InputError, match="no block of this network: 'encodr1'; did you mean 'encoder1'"):
        make_adapters(network, AdapterSettings(alpha={**AdapterSettings().alpha, "encodr1": 1.0}))
    with pytest.raises(InputError, match="neither a bank"):
        AdapterBank(network).load(tmp_path)
    bank = AdapterBank(network)
    bank.load(folder)
    with pytest.raises(InputError, match="loaded already"):
        bank.load(folder)
    with pytest.raises(InputError, match="no adapter 'b' is loaded"):
        bank.activate("b")


def test_damaged_adapter_files_are_refused(tmp_path: Path) -> None:
    network = small_network()
    adapters = make_adapters(network, AdapterSettings())
    info = AdapterInfo(AdapterSettings(), network.sha256(), to_mapping(SMALL), "e")
    next(iter(adapters.values())).kernel.data[0] = float("nan")  # type: ignore[union-attr, operator, index]
    save_adapter(tmp_path / "nan", adapters, info)
    with pytest.raises(InputError, match="not finite"):
        AdapterBank(network).load(tmp_path / "nan")
    wide = BaseModel(dataclasses.replace(SMALL, channels=(6, 6)))
    save_adapter(tmp_path / "wide", make_adapters(wide, AdapterSettings()), info)
    with pytest.raises(InputError, match="another width"):
        AdapterBank(network).load(tmp_path / "wide")
    folder = saved(tmp_path / "cut", network)
    weights = folder / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a readable safetensors"):
        AdapterBank(network).load(folder)
