"""``adapters`` as a pipeline, on a bundled adapter; other forms and methods are run through the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dplass_cli.adapters import adapted
from dplass_cli.adapters.adapter_folder import read_description
from dplass_cli.adapters.bank_folder import bank_place, list_adapters, load_single_adapter
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, load_base
from dplass_cli.options.adapters_options import (
    AdaptersCompressOptions,
    AdaptersDiffOptions,
    AdaptersExportOptions,
    AdaptersInfoOptions,
    AdaptersMergeOptions,
)
from dplass_cli.pipelines.adapters import (
    compare,
    compress_adapter,
    describe,
    export_adapter,
    merge_adapter,
    without_folders,
)
from dplass_cli.resources import resource

ADAPTER = resource("assets/tiny/bank/domain0")


def output_of(network: BaseModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixture = 0.1 * torch.randn(1, 1, 8000, generator=generator)
    condition = torch.nn.functional.normalize(torch.randn(1, network.config.condition_size, generator=generator))
    with torch.no_grad():
        return network(mixture, condition)


def test_a_merged_base_computes_what_the_adapter_does(tmp_path: Path) -> None:
    merge_adapter(AdaptersMergeOptions(ADAPTER, tmp_path / "merged.safetensors"))
    base, merged = load_base("tiny"), load_base(tmp_path / "merged.safetensors")
    with adapted(base, load_single_adapter(ADAPTER, base).layers):
        expected = output_of(base)
    torch.testing.assert_close(output_of(merged), expected, atol=1e-5, rtol=0)
    assert (expected - output_of(base)).abs().max() > 1e-3
    assert merged.encoder_fingerprint == base.encoder_fingerprint


def test_the_bundled_bank_is_listed() -> None:
    assert [item.key for item in list_adapters([Path("tiny")])] == [f"domain{number}" for number in range(7)]


def test_an_adapter_adds_its_parameters_to_those_of_its_base() -> None:
    alone, with_adapter = describe(AdaptersInfoOptions()), describe(AdaptersInfoOptions(ADAPTER))
    assert alone.info is None
    assert with_adapter.info is not None
    assert with_adapter.total == alone.total + with_adapter.trainable


def test_a_compressed_adapter_is_between_the_base_and_the_original(tmp_path: Path) -> None:
    kept = compress_adapter(AdaptersCompressOptions(ADAPTER, rank=4, output=tmp_path / "small"))
    assert all(0 < share <= 1.0 + 1e-6 for share in kept.values())
    from_base, from_original = (compare(AdaptersDiffOptions(ADAPTER, other)) for other in (None, tmp_path / "small"))
    assert all(from_original[path] < from_base[path] for path in kept)


def test_a_network_that_audiosep_lacks_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="AudioSep's network has no stem"):
        export_adapter(AdaptersExportOptions(ADAPTER, tmp_path / "cluster0.pt"))
    assert list(tmp_path.iterdir()) == []


def test_a_merged_base_needs_a_known_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--output .*merged\.bin: must end in \.safetensors or \.ckpt"):
        merge_adapter(AdaptersMergeOptions(ADAPTER, tmp_path / "merged.bin"))


def test_an_output_that_is_a_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.safetensors").write_bytes(resource("assets/tiny/base.safetensors").read_bytes())
    base = tmp_path / "base.safetensors"
    with pytest.raises(InputError, match="would overwrite its own source"):
        merge_adapter(AdaptersMergeOptions(ADAPTER, base, base_checkpoint=str(base)))


def test_shared_descriptions_name_no_folders_of_this_machine() -> None:
    info = read_description(bank_place("tiny") / "domain0")
    training = {"data": {"noise_dir": "/home/me/noise", "gain": 1}, "folder": "C:\\data\\rooms", "loss_type": "l1"}
    shared = without_folders(replace(info, training=training))
    assert shared.training == {"data": {"noise_dir": "noise", "gain": 1}, "folder": "rooms", "loss_type": "l1"}
    assert replace(shared, training={}) == replace(info, training={})
