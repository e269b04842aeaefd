"""The bank: loading adapters of every format, switching, blending, restoring, and its memory."""

from __future__ import annotations

import gc
from pathlib import Path
from unittest import mock

import pytest
import torch
from small_networks import loaded, small_inputs, small_network

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.adapter_folder import LoadedAdapter, save_adapter
from dplass_cli.adapters.bank_folder import BankDomain, write_bank
from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.errors import InputError
from dplass_cli.models.audiosep_checkpoint import write_checkpoint
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank


def test_adapters_of_every_format_are_loaded(tmp_path: Path) -> None:
    network = small_network()
    for number, method in enumerate(METHODS):
        save_adapter(tmp_path / "bank" / f"domain{number}", loaded(network, AdapterSettings(method), number))
        save_adapter(tmp_path / "folders" / f"my_{method}", loaded(network, AdapterSettings(method), number))
    domains = [BankDomain(n, f"name {n}", ("a", "b"), torch.ones(3) * n, torch.zeros(3)) for n in range(4)]
    write_bank(tmp_path / "bank", domains, {"anything": 1})
    published = to_published(loaded(network, AdapterSettings("lora")), network)
    for name in ("cluster5_model.pt", "mine.pt"):
        write_checkpoint(tmp_path / name, published)
    bank = AdapterBank(network)
    assert bank.load(tmp_path / "bank") == ["domain0", "domain1", "domain2", "domain3"]
    assert bank.load(tmp_path / "folders") == ["my_conv-adapter", "my_dora", "my_lora", "my_reconv"]
    assert bank.load(tmp_path / "cluster5_model.pt") == ["domain5"]
    assert bank.load(tmp_path / "mine.pt") == ["mine"]
    assert list(bank.domains) == ["domain0", "domain1", "domain2", "domain3"]
    assert torch.equal(bank.domains["domain2"].text_centroid, torch.full((3,), 2.0))
    assert [bank.infos[key].method for key in bank.domains] == list(METHODS)
    outputs = []
    for key in [None, *bank.keys]:
        bank.activate(key)
        outputs.append(network(*small_inputs()))
    for number in range(4):  # the same adapters under both names
        assert torch.equal(outputs[1 + number], outputs[1 + bank.keys.index(f"my_{list(METHODS)[number]}")])


def test_a_failed_activation_is_repeated_at_the_next_request() -> None:
    network = small_network()
    bank = AdapterBank(network)
    bank.add("a", loaded(network, AdapterSettings("lora"), 1))
    bank.add("b", loaded(network, AdapterSettings("lora"), 2))
    bank.activate("a")
    failing = mock.patch.object(bank, "get", side_effect=MemoryError)
    with failing, pytest.raises(MemoryError):
        bank.activate("b")
    assert bank.active not in (None, "a", "b")
    assert bank.active != {"a": 1.0}
    bank.activate("a")
    assert bank.active == "a"


def test_switching_methods_restores_the_base_bit_for_bit() -> None:
    network = small_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    bank = AdapterBank(network)
    moved = {"base.bn0.running_mean": torch.ones(129)}
    for method in METHODS:
        bank.add(method, loaded(network, AdapterSettings(method), statistics=dict(moved)))
    order = [*METHODS, None, "conv-adapter", "reconv", "conv-adapter", "dora", None]
    seen: dict[str | None, torch.Tensor] = {}
    for key in order:
        bank.activate(key)
        assert bank.active == key
        output = network(*small_inputs())
        assert torch.equal(seen.setdefault(key, output), output)
    assert len({float(output.sum()) for output in seen.values()}) == 5
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_refused_activation_leaves_the_active_adapter(tmp_path: Path) -> None:
    network = small_network()
    save_adapter(tmp_path / "a", loaded(network, AdapterSettings()))
    bank = AdapterBank(network)
    bank.load(tmp_path / "a")
    bank.activate("a")
    expected = network(*small_inputs())
    with pytest.raises(InputError, match="an adapter named 'a' is already loaded; rename one of them"):
        bank.load(tmp_path / "a")
    with pytest.raises(InputError, match="no adapter 'b' is loaded"):
        bank.activate("b")
    with pytest.raises(InputError, match="no adapter 'b' is loaded"):
        bank.activate({"a": 0.5, "b": 0.5})
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(InputError, match=r"no bank .*; use a folder that train wrote|no such file or folder"):
            bank.load(path)
    assert bank.active == "a"
    assert torch.equal(network(*small_inputs()), expected)


def test_memory_is_one_base_the_deltas_and_one_merged_set() -> None:
    """Every tensor that the bank and its network hold is counted once, by where it lies in memory."""
    network = small_network()
    base = sum(t.numel() for t in network.state_dict().values())
    bank = AdapterBank(network)
    adapters = [loaded(network, AdapterSettings("lora"), seed) for seed in range(7)]
    for number, adapter in enumerate(adapters):
        bank.add(f"domain{number}", adapter)
    for key in (*bank.keys, None, "domain3"):
        bank.activate(key)
    held = {
        tensor.data_ptr(): tensor.numel()
        for tensor in (
            *network.state_dict().values(),
            *bank._base_weights.values(),
            *(p for adapter in adapters for layer in adapter.layers.values() for p in layer.parameters()),
        )
    }
    deltas = sum(p.numel() for adapter in adapters for layer in adapter.layers.values() for p in layer.parameters())
    merged = sum(tensor.numel() for tensor in bank._base_weights.values())
    assert sum(held.values()) == base + deltas + merged


def test_adapters_read_on_demand_give_the_same_and_take_the_memory_of_one(tmp_path: Path) -> None:
    network = small_network()
    for number, method in enumerate(METHODS):
        save_adapter(tmp_path / f"domain{number}", loaded(network, AdapterSettings(method), number))
    before = _alive()
    kept, read = AdapterBank(network), AdapterBank(small_network())
    assert kept.load(tmp_path) == read.load(tmp_path, keep=False) == kept.keys == read.keys
    linear = {"domain0": 0.5, "domain1": -0.25, "domain2": 1.5}
    for which in ("domain1", None, "domain3", linear, "domain0"):
        for bank in (kept, read):
            bank.activate(which)
        assert torch.equal(kept.network(*small_inputs()), read.network(*small_inputs()))
    assert read.fingerprint("domain2") == kept.fingerprint("domain2")
    assert len(_alive() - before) == 4  # those that are kept, and none of the others
    (tmp_path / "domain2" / "adapter.safetensors").unlink()
    with pytest.raises(InputError, match="domain2"):
        read.activate("domain2")


def _alive() -> set[int]:
    """The adapters that are in memory."""
    gc.collect()
    return {id(thing) for thing in gc.get_objects() if type(thing) is LoadedAdapter}
