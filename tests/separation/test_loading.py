"""Loading models that belong together, and refusing those that do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from small_banks import write_small_bank

from dplass_cli import extras
from dplass_cli.adapters.adapter_folder import LoadedAdapter
from dplass_cli.encoders import load_encoder
from dplass_cli.errors import InputError
from dplass_cli.models.quantization import sdr
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.resources import resource
from dplass_cli.separation import loading
from dplass_cli.separation.loading import default_adapters, load_models
from dplass_cli.sounds import CATALOGUE, render


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small base and a bank of three adapters over it."""
    return write_small_bank(tmp_path_factory.mktemp("models"))


def spec(files: tuple[Path, Path], *adapters: Path, **more: str) -> ModelSpec:
    return ModelSpec(base=files[0], encoder="tiny", adapters=adapters, device="cpu", **more)  # type: ignore[arg-type]


def test_the_bundled_adapters_are_the_default_of_the_bundled_base_only() -> None:
    assert default_adapters("tiny") == ("tiny",)
    assert default_adapters("audiosep.ckpt") == ()


def test_the_default_is_the_bundled_models() -> None:
    models = load_models()
    assert models.bank.keys == [f"domain{number}" for number in range(7)]
    assert models.encoder.name == "tiny"
    assert models.bank.network is models.network


def test_a_base_of_ones_own_has_no_adapters_unless_they_are_named(files: tuple[Path, Path]) -> None:
    assert load_models(ModelSpec(base=files[0], encoder="tiny")).bank.keys == []
    assert load_models(spec(files, files[1])).bank.keys == ["domain0", "domain1", "domain2"]


def test_several_adapter_paths_are_loaded_into_one_bank(files: tuple[Path, Path]) -> None:
    models = load_models(spec(files, files[1] / "domain2", files[1] / "domain0"))
    assert models.bank.keys == ["domain2", "domain0"]


def test_the_domains_are_in_the_space_of_the_encoder(files: tuple[Path, Path]) -> None:
    models = load_models(spec(files, files[1]))
    assert models.texts is models.texts
    assert list(models.texts.keys) == ["domain0", "domain1", "domain2"]


def test_large_adapters_that_are_not_kept_are_read_when_they_are_activated(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = load_models(spec(files, files[1]), keep=False).bank
    monkeypatch.setattr(loading, "SMALL_BYTES", 1000)
    kept, read = (load_models(spec(files, files[1]), keep=keep).bank for keep in (True, False))
    for held in (small, kept):
        assert held.get("domain0") is held.get("domain0")
    assert isinstance(read.get("domain0"), LoadedAdapter)
    assert read.get("domain0") is not read.get("domain0")


def test_an_adapter_of_another_encoder_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    _, bank = write_small_bank(tmp_path)
    described = bank / "domain1" / "adapter.json"
    described.write_text(json.dumps({**json.loads(described.read_text()), "encoder_fingerprint": "another"}))
    with pytest.raises(InputError, match=r"bank: adapter 'domain1' was trained with another encoder \(.*--encoder"):
        load_models(spec(files, bank))


def test_an_adapter_of_another_base_is_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="domain0"):
        load_models(ModelSpec(adapters=(files[1],)))


def test_openvino_refuses_adapters_that_are_branches(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    base, bank = write_small_bank(tmp_path, "conv-adapter")
    with pytest.raises(InputError, match=r"--backend openvino: cannot run adapter 'domain0' \(conv-adapter\)"):
        load_models(spec((base, bank), bank, backend="openvino"))


def test_int8_refuses_adapters_that_are_branches(tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    base, bank = write_small_bank(tmp_path, "conv-adapter")
    with pytest.raises(InputError, match=r"--precision int8: cannot run adapter 'domain0' .*; use 32-true"):
        load_models(spec((base, bank), bank, precision="int8"))


@pytest.fixture
def without_nncf(monkeypatch: pytest.MonkeyPatch) -> None:
    """NNCF cannot be found."""
    found = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "nncf" else found(name))


@pytest.mark.usefixtures("without_nncf")
def test_the_graph_of_tiny_fast_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino", reason="pip install 'dplass[openvino]'")
    monkeypatch.setenv("DPLASS_HOME", str(tmp_path / "home"))
    fast, plain = load_models(ModelSpec(name="tiny-fast")), load_models(ModelSpec(adapters=(), backend="torch"))
    assert not fast.bank.keys
    one, two = (render(kind.name, 1, 2.0, 32000) for kind in (CATALOGUE[0], CATALOGUE[-1]))
    mixture = torch.from_numpy(one + two)[None, None]
    query = plain.encoder.embed_text([CATALOGUE[0].captions[0]])
    with torch.inference_mode():
        ours, wanted = fast.network(mixture, query), plain.network(mixture, query)
    assert 25 < sdr(wanted, ours) < 80
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("without_nncf")
def test_adapters_in_int8_need_nncf_before_anything_is_separated() -> None:
    with pytest.raises(InputError, match=r"--precision int8: needs nncf.*dplass\[int8\]"):
        load_models(ModelSpec(precision="int8"))


def test_tiny_is_the_bundled_encoder_that_a_base_was_trained_with(tmp_path: Path) -> None:
    """Bases that were trained with version 0.1 name its encoder ``tiny``."""
    shutil.copy(resource("assets/tiny-0.1/base.safetensors"), tmp_path)
    old = load_models(ModelSpec(base=tmp_path / "base.safetensors", encoder="tiny", adapters=()))
    assert old.encoder.fingerprint == load_encoder("tiny-0.1").fingerprint
    new = load_models(ModelSpec(encoder="tiny", adapters=()))
    assert new.encoder.fingerprint == load_encoder("tiny").fingerprint != old.encoder.fingerprint


def test_adapters_of_version_0_1_name_the_base_that_they_belong_to() -> None:
    with pytest.raises(InputError, match=r"another base .*\(92c5fe71dc71…, the bundled tiny-0\.1\) than tiny"):
        load_models(ModelSpec(adapters=(resource("assets/tiny-0.1/bank"),)))
    assert load_models(ModelSpec(name="tiny-0.1")).bank.keys == [f"domain{number}" for number in range(7)]
