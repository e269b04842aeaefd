"""Importing DP-LASS's files; tests/cli/test_adapters.py imports through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_networks import loaded, small_network

from dplass_cli.adapters.adapter_folder import read_description
from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.adapters.importing import import_files
from dplass_cli.errors import InputError
from dplass_cli.models.audiosep_checkpoint import write_checkpoint
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.adapters_options import AdaptersImportOptions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    network = small_network()
    write_checkpoint(tmp_path / "cluster3.pt", to_published(loaded(network, AdapterSettings("dora")), network))
    return tmp_path / "cluster3.pt"


def asked(files: list[Path], output: Path, adapter: AdapterSettings | None = None) -> AdaptersImportOptions:
    return AdaptersImportOptions(files=tuple(files), output=output, adapter=adapter or AdapterSettings())


def test_a_file_becomes_an_adapter_folder_of_its_base(file: Path, tmp_path: Path) -> None:
    network = small_network()
    result = import_files(asked([file], tmp_path / "out", AdapterSettings(dtype="float16")), network)
    assert result.adapters == {"domain3": tmp_path / "out" / "domain3"}
    assert result.base is None
    info = read_description(tmp_path / "out" / "domain3")
    assert (info.method, info.base_sha256, info.dtype) == ("dora", network.sha256(), "float16")


def test_two_files_of_one_domain_are_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "my_cluster3.pt"
    other.write_bytes(file.read_bytes())
    with pytest.raises(InputError, match=r"is domain3, and so is .*; rename one"):
        import_files(asked([file, other], tmp_path / "out"), small_network())
    assert not (tmp_path / "out").exists()


def test_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no files given; name the DP-LASS adapter files"):
        import_files(asked([], tmp_path))
