"""The model classes of the package ``laion-clap``; their numbers are tested in tests/encoders/test_laion.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dplass_cli.encoders import laion_model
from dplass_cli.encoders.laion_model import build_clap
from dplass_cli.errors import InputError


@pytest.fixture
def not_imported(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the private package, as if it had not been imported yet."""
    name = f"{laion_model.__package__}._laion_clap"
    for module in [module for module in sys.modules if module.startswith(name)]:
        monkeypatch.delitem(sys.modules, module)
    return name


@pytest.mark.parametrize("fusion", [False, True])
def test_the_model_has_no_values_and_no_transform_kernels(small_roberta: None, fusion: bool) -> None:
    clap = build_clap("tiny", fusion)
    assert all(parameter.is_meta for parameter in clap.parameters())
    assert not [name for name, _ in clap.named_parameters() if "_extractor." in name]
    assert any(".mel_conv2d." in name for name, _ in clap.named_parameters()) == fusion


@pytest.mark.usefixtures("not_imported")
def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "laion_clap", None)
    with pytest.raises(InputError, match="needs the package laion-clap, which is not installed; pip install"):
        build_clap("tiny", fusion=False)


def test_a_broken_package_is_reported_and_leaves_nothing_imported(
    not_imported: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "laion_clap" / "clap_module"
    broken.mkdir(parents=True)
    (tmp_path / "laion_clap" / "__init__.py").write_text("raise AssertionError('imported whole')\n")
    (broken / "model.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"cannot be imported \(ModuleNotFoundError: "):
        build_clap("tiny", fusion=False)
    assert not [name for name in sys.modules if name.startswith(not_imported)]
