"""Checkpoints in their three forms, files that are refused, and the hash of tensors."""

from __future__ import annotations

import argparse
import ast
import errno
import os
import signal
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from systems import needs_limits, needs_proc
from torch import Tensor

from dplass_cli.errors import InputError, RunError
from dplass_cli.models import BaseModel, ResUNet30, load_base, save_base
from dplass_cli.models.audiosep_checkpoint import write_checkpoint
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.weights import checkpoint_files
from dplass_cli.weights.checkpoint_files import read_tensors, tensors_sha256

SMALL = ResUNet30Config(
    condition_size=8, n_fft=256, hop=80, pre_channels=4, channels=(4, 6), downsample=((2, 2), (1, 2))
)
KERNELS = {
    "base.stft.conv_real.weight": torch.zeros(129, 1, 256),
    "base.istft.conv_imag.weight": torch.zeros(256, 256, 1),
    "base.istft.ola_window": torch.zeros(256),
}


def lightning_file(state: Mapping[str, Any]) -> dict[str, Any]:
    """The published file: the network beside the text and audio encoder and the loop's state."""
    return {
        "epoch": 3,
        "global_step": 1200,
        "pytorch-lightning_version": "2.0.0",
        "state_dict": {
            **{f"ss_model.{key}": tensor for key, tensor in state.items()},
            "query_encoder.model.logit_scale_a": torch.tensor(1.0),
            "query_encoder.model.text_branch.embeddings.position_ids": torch.arange(514)[None],
        },
        "loops": {},
        "callbacks": {},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-3}]}],
        "lr_schedulers": [{"base_lrs": [1e-3]}],
    }


@pytest.fixture
def network() -> BaseModel:
    torch.manual_seed(0)
    return ResUNet30(SMALL)


@pytest.fixture
def state(network: BaseModel) -> dict[str, Tensor]:
    return dict(network.state_dict())


def refusal(path: Path, trust: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        load_base(path, config=SMALL, trust=trust)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("form", ["lightning", "plain", "safetensors"])
def test_every_form_loads_to_the_same_weights(
    tmp_path: Path, form: str, network: BaseModel, state: dict[str, Tensor]
) -> None:
    whole = {**state, **KERNELS}
    if form == "safetensors":
        path = tmp_path / "base.safetensors"
        save_file(whole, path)
    else:
        path = saved(tmp_path / "base.ckpt", lightning_file(whole) if form == "lightning" else whole)
    loaded = load_base(str(path), config=SMALL)
    assert loaded.sha256() == network.sha256()
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_counters_of_batches_may_be_missing(tmp_path: Path, network: BaseModel, state: dict[str, Tensor]) -> None:
    kept = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(kept) < len(state)
    assert load_base(saved(tmp_path / "base.pt", kept), config=SMALL).sha256() == network.sha256()


def test_keys_of_another_network_are_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    del state["base.bn0.weight"]
    state["base.extra.weight"] = torch.zeros(2)
    message = refusal(saved(tmp_path / "base.pt", state))
    assert "missing: base.bn0.weight;" in message
    assert "unexpected: base.extra.weight" in message
    message = refusal(saved(tmp_path / "other.pt", {f"layer{n}.weight": torch.zeros(1) for n in range(5)}))
    assert "missing: base.bn0.weight" in message
    assert "unexpected: layer0.weight, layer1.weight, layer2.weight and 2 more" in message


def test_a_misshapen_tensor_is_named_with_both_shapes(tmp_path: Path, state: dict[str, Tensor]) -> None:
    state["base.pre_conv.weight"] = torch.zeros(5, 1, 1, 1)
    message = refusal(saved(tmp_path / "base.pt", state))
    assert "base.pre_conv.weight has shape [5, 1, 1, 1], this network needs [4, 1, 1, 1]" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, state: dict[str, Tensor], value: float) -> None:
    state["base.after_conv.bias"] = torch.full((3,), value)
    assert "base.after_conv.bias contains values that are not finite" in refusal(saved(tmp_path / "base.pt", state))


@pytest.mark.parametrize("name", ["base.ckpt", "base.safetensors"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert "empty (0 bytes)" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["base.ckpt", "base.safetensors"])
@pytest.mark.parametrize("trust", [False, True])
def test_truncated_files_are_refused(tmp_path: Path, name: str, trust: bool, state: dict[str, Tensor]) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(lightning_file(state), path)
    whole = path.read_bytes()
    for size in (1, 3, 7, 9, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        refusal(path, trust)


@pytest.mark.parametrize("name", ["base.ckpt", "base.safetensors"])
@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    "text", ["<!DOCTYPE html>\n<html>404</html>\n", "version https://git-lfs\n", "hello", "{}", "."]
)
def test_a_text_file_is_refused(tmp_path: Path, name: str, trust: bool, text: str) -> None:
    (tmp_path / name).write_text(text)
    refusal(tmp_path / name, trust)


@pytest.mark.parametrize("name", ["base.ckpt", "base.safetensors"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html>\n<title>404</title>", "an HTML page"),
        ("<html>", "an HTML page"),
        ("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    ],
)
def test_a_page_or_a_pointer_instead_of_the_file_is_named(tmp_path: Path, name: str, text: str, kind: str) -> None:
    (tmp_path / name).write_text(text)
    assert f"{kind}, not a checkpoint; fetch the file itself" in refusal(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such checkpoint" in refusal(tmp_path / "none.ckpt")
    with pytest.raises(InputError, match="is a folder"):
        load_base(tmp_path)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".safetensors"])
def test_an_unreadable_file_is_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / f"base{suffix}", {"layer.weight": torch.zeros(3)})

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(checkpoint_files, "open", forbidden, raising=False)
    monkeypatch.setattr(checkpoint_files, "safe_open", forbidden)
    assert "Permission denied" in refusal(path)


class Trap:
    """Unpickling this touches a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.marker,)


def test_code_in_a_pickle_does_not_run_without_trust(tmp_path: Path, state: dict[str, Tensor]) -> None:
    marker = tmp_path / "ran"
    path = saved(tmp_path / "base.ckpt", {**lightning_file(state), "hyper_parameters": Trap(marker)})
    assert "--trust-checkpoint" in refusal(path)
    assert not marker.exists()
    load_base(path, config=SMALL, trust=True)
    assert marker.exists()  # so the file above was dangerous


class Hidden:
    """A number of numpy's that is an object, which could be anything."""

    def __init__(self, inside: object) -> None:
        self.inside = inside

    def __reduce__(self) -> Any:
        return np.float64(0).__reduce__()[0], (np.dtype("O"), self.inside)


def test_numpy_scalars_next_to_the_weights_need_no_trust(tmp_path: Path, state: dict[str, Tensor]) -> None:
    numbers = {"best": np.float64(1.5), "epoch": np.int64(3), "loss": np.float32(0.5), "done": np.bool_(True)}
    content, _ = read_tensors(saved(tmp_path / "base.ckpt", {"state_dict": state, **numbers}))
    assert {key: content[key] for key in numbers} == numbers
    marker = tmp_path / "ran"
    assert "--trust-checkpoint" in refusal(saved(tmp_path / "base.ckpt", {**state, "best": Hidden(Trap(marker))}))
    assert not marker.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_mapped_files_have_the_same_content(tmp_path: Path, zipped: bool, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "base.pt", _use_new_zipfile_serialization=zipped)
    content, _ = read_tensors(tmp_path / "base.pt", mapped=True)
    assert all(torch.equal(content[key], tensor) for key, tensor in state.items())
    (tmp_path / "base.pt").write_bytes((tmp_path / "base.pt").read_bytes()[:-100])
    with pytest.raises(InputError, match=r"base\.pt"):
        read_tensors(tmp_path / "base.pt", mapped=True)


def test_trust_reads_objects_next_to_the_weights(tmp_path: Path, network: BaseModel, state: dict[str, Tensor]) -> None:
    content = {**lightning_file(state), "hyper_parameters": argparse.Namespace(lr=1)}
    path = saved(tmp_path / "base.ckpt", content)
    assert "--trust-checkpoint" in refusal(path)
    assert load_base(path, config=SMALL, trust=True).sha256() == network.sha256()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"state_dict": [torch.zeros(1)]}, "'state_dict' is a list"),
        ([torch.zeros(1)], "contains a list"),
        ({"epoch": 3}, "'epoch' is not a tensor"),
        ({"state_dict": {"ss_model.base.bn0.weight": 3}}, "'base.bn0.weight' is not a tensor"),
        ({3: torch.zeros(1)}, "3 is not the name of a tensor"),
        ({}, "missing: base."),
    ],
)
def test_content_that_is_not_a_state_dict_is_refused(tmp_path: Path, content: Any, expected: str) -> None:
    assert expected in refusal(saved(tmp_path / "base.pt", content))


def test_tensors_without_all_their_values_are_refused(tmp_path: Path) -> None:
    one = torch.ones(1)
    hollow = {"a": one.expand(1 << 40), "b": torch.ones(2, dtype=torch.complex64)}
    for key, tensor in hollow.items():
        torch.save({"state_dict": {key: tensor}}, tmp_path / "a.pt")
        assert (tmp_path / "a.pt").stat().st_size < 10_000
        with pytest.raises(InputError, match=f"'{key}' is not a plain tensor"):
            read_tensors(tmp_path / "a.pt")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "bomb.pt", "w") as bomb:
        for record in whole.infolist():
            bomb.writestr(record.filename, whole.read(record), zipfile.ZIP_DEFLATED)
    assert (tmp_path / "bomb.pt").stat().st_size < 10_000
    assert torch.equal(read_tensors(tmp_path / "whole.pt")[0]["a"], torch.zeros(1_000_000))
    for mapped in (False, True):
        with pytest.raises(InputError, match=r"bomb\.pt: not a readable checkpoint \(its records are compressed"):
            read_tensors(tmp_path / "bomb.pt", mapped=mapped)


def save_base_there(folder: Path) -> None:
    save_base(folder / "a.safetensors", ResUNet30(SMALL), None)


def write_pickled_there(folder: Path) -> None:
    write_checkpoint(folder / "a.pt", {"a": torch.zeros(10_000)})


@needs_limits
@pytest.mark.parametrize("write", [save_base_there, write_pickled_there], ids=["safetensors", "pickled"])
def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path, write: Callable[[Path], None]) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"writing failed .*; free space and run again"):
            write(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert list(tmp_path.iterdir()) == []


def test_every_call_that_unpickles_states_weights_only() -> None:
    """``torch.load``, and what Lightning is given as ``ckpt_path``."""
    reads: dict[str, list[str | None]] = {}
    for path in sorted((Path(__file__).parents[2] / "dplass_cli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
                if ast.unparse(node.func) == "torch.load" or "ckpt_path" in keywords:
                    reads.setdefault(path.name, []).append(keywords.get("weights_only"))
    assert reads == {"checkpoint_files.py": ["not trust"], "trainer.py": ["True", "True"]}


def test_the_hash_ignores_order_and_memory_layout_only() -> None:
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(())}
    wanted = tensors_sha256(tensors)
    assert tensors_sha256(dict(reversed(tensors.items()))) == wanted
    assert tensors_sha256({**tensors, "b": tensors["b"].T.contiguous().T}) == wanted
    others = [
        {**tensors, "b": tensors["b"] + torch.tensor([0, 0, 1e-6])},
        {"c": tensors["b"], "a": tensors["a"]},
        {**tensors, "b": tensors["b"].reshape(3, 2)},
        {**tensors, "b": tensors["b"].view(torch.int32)},
        {**tensors, "b": tensors["b"].double()},
        {"b": tensors["b"]},
    ]
    hashes = {tensors_sha256(other) for other in others} | {wanted, tensors_sha256(tensors, {"rank": 4})}
    assert len(hashes) == len(others) + 2
    assert tensors_sha256(tensors, {"x": 1, "y": 2}) == tensors_sha256(tensors, {"y": 2, "x": 1})


@needs_proc
@pytest.mark.parametrize("name", ["a.safetensors", "a.ckpt"])
def test_on_windows_no_file_stays_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A mapped file could not be replaced there."""
    path = tmp_path / name
    tensors = {"a": torch.ones(3, 4)}
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    monkeypatch.setattr(sys, "platform", "win32")
    found, _ = read_tensors(path, mapped=True)
    assert torch.equal(found["a"], tensors["a"])
    assert str(path) not in Path("/proc/self/maps").read_text()
    monkeypatch.undo()
    found, _ = read_tensors(path, mapped=True)
    assert str(path) in Path("/proc/self/maps").read_text()
