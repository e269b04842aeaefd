"""Models by name and in folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.resources import BUNDLED_MODELS, resource
from dplass_cli.separation.loading import load_models
from dplass_cli.weights.known_files import read_known_files
from dplass_cli.weights.named_models import entries_to_fetch, list_models, read_named_models, resolve_model


@pytest.fixture(autouse=True)
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched files, empty."""
    monkeypatch.setenv("DPLASS_HOME", str(tmp_path / "fetched"))
    return tmp_path / "fetched"


def fetch(folder: Path, *entries: str) -> None:
    """Write empty files where ``weights fetch`` puts those of some entries."""
    for entry in entries:
        for file in read_known_files()[entry].files:
            (folder / entry).mkdir(parents=True, exist_ok=True)
            (folder / entry / file.name).touch()


def test_every_named_model_consists_of_known_files(fetched: Path) -> None:
    for name, model in read_named_models().items():
        fetch(fetched, *model.fetch)
        resolved = resolve_model(ModelSpec(name=name))
        assert resolved.name is None
        files = [resolved.base, resolved.encoder, resolved.tokenizer, *(resolved.adapters or ())]
        assert all(Path(file).exists() for file in files if file and file not in BUNDLED_MODELS)
    assert [listed.missing for listed in list_models()] == [()] * len(read_named_models())


def test_what_has_not_been_fetched_is_listed_with_its_size(fetched: Path) -> None:
    listed = {item.name: item for item in list_models()}
    assert listed["tiny"].missing == ()
    assert listed["tiny"].size == 0
    assert listed["audiosep"].missing == (fetched / "audiosep/audiosep_base_4M_steps.ckpt", fetched / "roberta")
    assert 1.2e9 < listed["audiosep"].size < 1.3e9


def test_a_model_that_is_not_there_names_the_command_that_fetches_it(fetched: Path) -> None:
    with pytest.raises(InputError) as raised:
        resolve_model(ModelSpec(name="audiosep"))
    assert str(raised.value) == (
        f"--model audiosep: {fetched}/audiosep/audiosep_base_4M_steps.ckpt is missing; fetch it (about 1.3 GB in all):"
        " dplass weights fetch audiosep"
    )


def test_the_name_of_a_model_stands_for_what_it_consists_of() -> None:
    assert entries_to_fetch(["audiosep", "clap"]) == ["audiosep", "roberta", "clap"]
    assert entries_to_fetch(["audiosep+dplass"]) == ["audiosep", "roberta", "dplass-adapters"]
    with pytest.raises(InputError, match="tiny: is bundled"):
        entries_to_fetch(["tiny"])


def test_an_unknown_size_is_not_called_zero(fetched: Path) -> None:
    with pytest.raises(InputError) as raised:
        resolve_model(ModelSpec(name="lasaft"))
    assert str(raised.value) == (
        f"--model lasaft: {fetched}/lasaft/lasaft_large_2020.ckpt is missing; fetch it: dplass weights fetch lasaft"
    )


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"--model audiosepp: must be one of tiny, tiny-fast, tiny-0\.1, audiosep"):
        resolve_model(ModelSpec(name="audiosepp"))


def test_a_name_and_a_base_exclude_each_other() -> None:
    with pytest.raises(InputError, match=r"--model tiny and --base-checkpoint a\.ckpt: exclude each other"):
        resolve_model(ModelSpec(name="tiny", base="a.ckpt"))


def test_what_is_given_takes_precedence(fetched: Path) -> None:
    fetch(fetched, "audiosep", "roberta")
    given = ModelSpec(name="audiosep", encoder="mine.pt", adapters=("bank",), device="cpu", trust=True)
    assert resolve_model(given) == ModelSpec(
        base=fetched / "audiosep/audiosep_base_4M_steps.ckpt",
        encoder="mine.pt",
        tokenizer=fetched / "roberta",
        adapters=("bank",),
        device="cpu",
        trust=True,
    )


def test_a_named_model_may_have_a_precision_and_no_adapters() -> None:
    assert resolve_model(ModelSpec(name="tiny-fast")) == ModelSpec(adapters=(), precision="int8", device="cpu")
    given = ModelSpec(name="tiny-fast", precision="32-true", adapters=("bank",))
    assert resolve_model(given) == ModelSpec(adapters=("bank",), precision="32-true")


def test_int8_chooses_the_processor_unless_a_device_is_given() -> None:
    assert resolve_model(ModelSpec(precision="int8")).device == "cpu"
    assert resolve_model(ModelSpec(precision="int8", device="cuda:1")).device == "cuda:1"


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(resource("assets/tiny"), folder)
    models = load_models(ModelSpec(name=str(folder), device="cpu"))
    assert len(models.bank.keys) == 7
    assert models.network.source == str(folder / "base.safetensors")
    shutil.rmtree(folder / "bank")
    assert load_models(ModelSpec(name=str(folder), device="cpu")).bank.keys == []
    (folder / "base.safetensors").unlink()
    with pytest.raises(InputError, match=r"--model .*mine: contains no base\.safetensors; give a folder with"):
        resolve_model(ModelSpec(name=str(folder)))
