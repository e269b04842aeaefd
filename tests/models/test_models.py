"""Loading and saving base models."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from small_networks import SMALL, small_network
from torch import Tensor

from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, ResUNet30Config, check_encoder, load_base, save_base
from dplass_cli.weights.checkpoint_files import read_base_state, tensors_sha256, write_safetensors


@pytest.fixture
def network() -> BaseModel:
    return small_network()


@pytest.fixture
def state(network: BaseModel) -> dict[str, Tensor]:
    return dict(network.state_dict())


def test_a_saved_base_loads_to_the_same_bits(tmp_path: Path, network: BaseModel) -> None:
    path = tmp_path / "new" / "base.safetensors"
    save_base(path, network, "f" * 64)
    loaded = load_base(path)
    assert loaded.config == SMALL
    assert loaded.encoder_fingerprint == "f" * 64
    assert loaded.sha256() == network.sha256()
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)
    save_base(path, loaded, None)
    assert load_base(path).encoder_fingerprint is None
    assert load_base(path).sha256() == network.sha256()


def test_a_half_precision_file_loads_as_float32(tmp_path: Path, network: BaseModel) -> None:
    path = tmp_path / "half.safetensors"
    save_base(path, network, None, torch.float16)
    stored, _ = read_base_state(path)
    assert stored["base.pre_conv.weight"].dtype == torch.float16
    loaded = load_base(path)
    assert loaded.sha256() != network.sha256()
    for key, tensor in network.state_dict().items():
        got = loaded.state_dict()[key]
        assert got.dtype == tensor.dtype
        assert torch.equal(got, tensor.half().float() if tensor.is_floating_point() else tensor)


def test_another_encoder_than_the_one_of_the_training_is_refused(network: BaseModel) -> None:
    network.source, network.encoder_fingerprint = "my.ckpt", "a" * 64
    check_encoder(network, "a" * 64, 8, "same.pt")
    with pytest.raises(InputError, match=r"--encoder other\.pt: the base my\.ckpt .*aaaaaaaaaaaa…; not bbbbbbbbbbbb…"):
        check_encoder(network, "b" * 64, 8, "other.pt")


def test_a_base_without_a_fingerprint_takes_any_encoder_of_its_size(network: BaseModel) -> None:
    check_encoder(network, "b" * 64, 8, "other.pt")
    with pytest.raises(InputError, match=r"its embeddings have 3 values, the base .* expects 8"):
        check_encoder(network, "b" * 64, 3, "other.pt")


def test_all_forms_of_audioseps_layout_load_to_the_same_weights(
    tmp_path: Path, network_layout: dict[str, Any], published_state: dict[str, Any]
) -> None:
    state = {key: torch.from_numpy(value) for key, value in published_state.items()}
    for entry in network_layout["entries"]:
        if entry["key"].startswith(("base.stft.", "base.istft.")):
            state[entry["key"]] = torch.zeros(entry["shape"])
        elif entry["dtype"] != "float32":
            state[entry["key"]] = torch.tensor(7)
    assert len(state) == network_layout["totals"]["state_dict_entries"]
    expected = tensors_sha256({key: torch.from_numpy(value) for key, value in published_state.items()})

    path = _saved(
        tmp_path / "audiosep.ckpt", {"state_dict": {f"ss_model.{key}": tensor for key, tensor in state.items()}}
    )
    lightning = load_base(path)
    assert lightning.sha256() == expected
    assert lightning.source == str(path)
    assert lightning.encoder_fingerprint is None
    assert lightning.config == ResUNet30Config()
    path.unlink()

    plain = load_base(_saved(tmp_path / "plain.pt", state))
    assert plain.sha256() == expected
    (tmp_path / "plain.pt").unlink()

    save_file(state, tmp_path / "base.safetensors")
    assert load_base(tmp_path / "base.safetensors").sha256() == expected


@pytest.mark.parametrize("config", ["{", "[1]", '{"hopp": 80}', '{"hop": "x"}'])
def test_an_unusable_configuration_in_the_file_is_refused(
    tmp_path: Path, state: dict[str, Tensor], config: str
) -> None:
    path = tmp_path / "base.safetensors"
    save_file(state, path, {"config": config})
    with pytest.raises(InputError, match=re.escape(str(path))):
        load_base(path)


def test_claimed_sizes_take_no_memory_before_the_layout_is_checked(tmp_path: Path) -> None:
    config = {"condition_size": 1 << 20, "channels": [1 << 20] * 2, "downsample": [[2, 2]] * 2}
    write_safetensors(tmp_path / "a.safetensors", {"x": torch.ones(1)}, {"config": config})
    with pytest.raises(InputError, match="not weights of this network"):
        load_base(tmp_path / "a.safetensors")


def test_claimed_sizes_that_no_memory_has_are_refused(tmp_path: Path) -> None:
    config = {"name": "lasaft", "control_n_layer": 32, "embedding_dim": 1 << 20}
    write_safetensors(tmp_path / "a.safetensors", {"x": torch.ones(1)}, {"config": config})
    with pytest.raises(InputError, match="its configuration is of an impossible size"):
        load_base(tmp_path / "a.safetensors")


def _saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_a_loaded_base_is_frozen_and_its_kernels_are_channels_last() -> None:
    base = load_base("tiny")
    assert not base.training
    assert not any(parameter.requires_grad for parameter in base.parameters())
    kernels = [parameter for parameter in base.parameters() if parameter.dim() == 4]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_loading_all_models_does_not_import_torch_dynamo() -> None:
    """It takes two seconds to import; ``dplass separate`` would pay them every time."""
    code = (
        "import sys\n"
        "from dplass_cli import Separator\n"
        "Separator.from_pretrained()\n"
        "assert 'torch' in sys.modules\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
