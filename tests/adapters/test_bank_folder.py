"""Listing adapters, and finding the only one."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_networks import loaded, small_network

from dplass_cli.adapters.adapter_folder import save_adapter
from dplass_cli.adapters.bank_folder import list_adapters, load_single_adapter, single_adapter
from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.errors import InputError
from dplass_cli.models.audiosep_checkpoint import write_checkpoint
from dplass_cli.options.adapter_settings import AdapterSettings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two adapter folders, and a DP-LASS file next to it."""
    network = small_network()
    for method in ("lora", "reconv"):
        save_adapter(tmp_path / "adapters" / method, loaded(network, AdapterSettings(method)))
    write_checkpoint(tmp_path / "cluster3.pt", to_published(loaded(network, AdapterSettings("dora")), network))
    return tmp_path / "adapters"


def test_folders_and_files_are_listed_with_their_sizes(folder: Path) -> None:
    listed = list_adapters([folder, folder.parent / "cluster3.pt"])
    assert [(item.key, item.info.method) for item in listed] == [
        ("lora", "lora"),
        ("reconv", "reconv"),
        ("domain3", "dora"),
    ]
    for item in listed:
        adapter = load_single_adapter(item.path, small_network())
        assert item.parameters == sum(p.numel() for layer in adapter.layers.values() for p in layer.parameters())
        assert item.size > 4 * item.parameters or item.info.method == "dora"


def test_the_only_adapter_of_a_folder_is_found(folder: Path) -> None:
    assert single_adapter(folder / "lora") == folder / "lora"


def test_several_adapters_are_refused_and_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"adapters: contains 2 adapters; name one of .*lora, .*reconv"):
        single_adapter(folder)
