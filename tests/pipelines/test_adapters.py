"""``adapters`` as a pipeline; tests/cli/test_adapters.py runs every verb through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_networks import SMALL, loaded, small_inputs, small_network

from dplass_cli.adapters import AdapterSettings, adapted
from dplass_cli.adapters.adapter_folder import save_adapter
from dplass_cli.errors import InputError
from dplass_cli.models import load_base, save_base
from dplass_cli.pipelines.adapters import (
    compare,
    compress_adapter,
    describe,
    export_adapter,
    list_adapters,
    merge_adapter,
)


@pytest.fixture
def base(tmp_path: Path) -> str:
    save_base(tmp_path / "base.safetensors", small_network(), "e")
    return str(tmp_path / "base.safetensors")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    save_adapter(tmp_path / "dora", loaded(small_network(), AdapterSettings("dora")))
    return tmp_path / "dora"


def test_a_merged_base_computes_what_the_adapter_does(base: str, adapter: Path, tmp_path: Path) -> None:
    merge_adapter(adapter, tmp_path / "merged.safetensors", base)
    network = small_network()
    with torch.no_grad(), adapted(network, loaded(network, AdapterSettings("dora")).layers):
        expected = network(*small_inputs())
    merged = load_base(tmp_path / "merged.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(merged(*small_inputs()), expected, atol=1e-5, rtol=0)
    assert merged.encoder_fingerprint == "e"


def test_an_exported_file_describes_the_same_adapter(base: str, adapter: Path, tmp_path: Path) -> None:
    export_adapter(adapter, tmp_path / "cluster0.pt", base)
    from_folder, from_file = describe(adapter), describe(tmp_path / "cluster0.pt", base)
    assert from_file.info is not None
    assert from_file.info.method == "dora"
    assert from_file.trainable == from_folder.trainable
    assert [item.key for item in list_adapters([tmp_path / "cluster0.pt"])] == ["domain0"]


def test_a_base_alone_is_described_without_an_adapter(base: str) -> None:
    report = describe(None, base)
    assert report.info is None
    assert report.total == sum(parameter.numel() for parameter in small_network().parameters())


def test_a_compressed_adapter_is_near_the_original(base: str, adapter: Path, tmp_path: Path) -> None:
    kept = compress_adapter(adapter, tmp_path / "small", 99, base)
    assert all(share == pytest.approx(1.0) for share in kept.values())
    assert max(compare(adapter, tmp_path / "small", base).values()) < 1e-4
    assert min(compare(adapter, None, base).values()) > 1e-3


def test_a_merged_base_needs_a_known_suffix(base: str, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--output .*merged\.bin: must end in \.safetensors or \.ckpt"):
        merge_adapter(adapter, tmp_path / "merged.bin", base)


def test_an_output_that_is_the_base_is_refused(base: str, adapter: Path) -> None:
    before = load_base(base).sha256()
    with pytest.raises(InputError, match="would overwrite its own source"):
        merge_adapter(adapter, Path(base), base)
    assert load_base(base).sha256() == before
    assert load_base(base).config == SMALL
