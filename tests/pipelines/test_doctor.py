"""The checks before a run: healthy things are ok, each broken one is a row with a remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.errors import RunError
from dplass_cli.options.doctor_options import DoctorOptions
from dplass_cli.pipelines import doctor as room
from dplass_cli.pipelines.doctor import DoctorCheck, doctor
from dplass_cli.resources import resource
from dplass_cli.storage import file_sha256


@pytest.fixture
def manifest(tmp_path: Path, clips: dict[str, Path]) -> Path:
    write_manifest(tmp_path / "train.json", [Row(path, name) for name, path in clips.items()])
    return tmp_path / "train.json"


@pytest.fixture
def table(tmp_path: Path, clips: dict[str, Path]) -> Path:
    write_mixtures(tmp_path / "eval.csv", [Mixture(Row(clips["rain"], "rain"), Row(clips["siren"], ""))])
    return tmp_path / "eval.csv"


def checks(what: str, **options: Any) -> list[DoctorCheck]:
    found = [check for check in doctor(DoctorOptions(device="cpu", **options)) if check.what == what]
    assert all(check.remedy for check in found if check.state != "ok")
    return found


def wrong(what: str, **options: Any) -> DoctorCheck:
    (check,) = [check for check in checks(what, **options) if check.state == "wrong"]
    return check


def test_a_healthy_run_is_ok(manifest: Path, table: Path, tmp_path: Path, clips: dict[str, Path]) -> None:
    options = DoctorOptions(data=manifest, device="cpu", metadata_csv=table, workspace=tmp_path / "not there" / "yet")
    found = doctor(options)
    assert {check.state for check in found} == {"ok"}, found
    assert {check.what for check in found} >= {"versions", "device", "disk", "base", "encoder", "data", "benchmark"}
    assert f"{len(clips)} rows" in next(check.found for check in found if check.what == "data")
    assert not (tmp_path / "not there").exists()


def test_the_exit_code_is_1_if_something_is_wrong(manifest: Path, clips: dict[str, Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--data", str(manifest), "--device", "cpu", "--json"])
    assert done.exit_code == 0, done.output
    assert {check["state"] for check in json.loads(done.stdout)} == {"ok"}
    write_manifest(manifest, [Row(clips["rain"], "rain"), Row(tmp_path / "gone.wav", "gone")])
    done = CliRunner().invoke(app, ["doctor", "--data", str(manifest), "--device", "cpu"])
    assert done.exit_code == 1
    assert "1 of 2 checked" in " ".join(done.stdout.split())
    assert not done.stderr


def test_missing_and_unsuitable_models_are_rows(tmp_path: Path) -> None:
    base = wrong("base", base_checkpoint=str(tmp_path / "no.ckpt"))
    assert (base.found, base.remedy) == (f"{tmp_path}/no.ckpt: no such checkpoint", "check the path")
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.ckpt")
    assert "unexpected: layer.weight" in wrong("base", base_checkpoint=str(tmp_path / "other.ckpt")).found
    assert "contains no query encoder" in wrong("encoder", encoder=str(tmp_path / "other.ckpt")).found
    assert "no bank" in wrong("adapters", adapters=(str(tmp_path),)).found
    skipped = checks("adapters", base_checkpoint=str(tmp_path / "no.ckpt"), adapters=(str(tmp_path),))
    assert [check.state for check in skipped] == ["note"]


def test_an_encoder_of_another_base_is_wrong(tmp_path: Path) -> None:
    from safetensors import safe_open

    source = resource("assets/tiny/encoder.safetensors")
    tensors = load_file(source)
    with safe_open(source, framework="pt") as archive:
        metadata = archive.metadata()
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name] = tensors[name] + 1
    save_file(tensors, tmp_path / "encoder.safetensors", metadata)
    assert "trained with another encoder" in wrong("encoder", encoder=str(tmp_path / "encoder.safetensors")).found


def test_a_known_file_with_another_hash_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copy(resource("assets/tiny/base.safetensors"), tmp_path / "base.safetensors")
    monkeypatch.setattr(room, "published_hashes", lambda: {"base.safetensors": "0" * 64})
    assert "published with 000000000000" in wrong("hashes", base_checkpoint=str(copy)).found
    monkeypatch.setattr(room, "published_hashes", lambda: {"base.safetensors": file_sha256(copy)})
    assert [check.state for check in checks("hashes", base_checkpoint=str(copy))] == ["ok"]


def test_a_file_that_cannot_be_hashed_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: Path) -> str:
        raise RunError(f"{path}: cannot be read (Permission denied); check the file and its permissions")

    copy = shutil.copy(resource("assets/tiny/base.safetensors"), tmp_path / "audiosep_base_4M_steps.ckpt")
    monkeypatch.setattr(room, "file_sha256", unreadable)
    found = wrong("hashes", base_checkpoint=str(copy))
    assert (found.found, found.remedy) == (
        f"{copy}: cannot be read (Permission denied)",
        "check the file and its permissions",
    )


def test_unusable_data_is_a_row(tmp_path: Path) -> None:
    assert "no such file" in wrong("data", data=tmp_path / "gone.json").found
    (tmp_path / "train.json").write_text('{"data": [{"caption": "x"}]}')
    assert "row 0 has no 'wav'" in wrong("data", data=tmp_path / "train.json").found
    assert "not a partition folder" in wrong("data", data=tmp_path).found


def test_unusable_benchmarks_are_rows(tmp_path: Path, table: Path, clips: dict[str, Path]) -> None:
    assert wrong("benchmark", benchmark="custm", metadata_csv=table).remedy == "did you mean 'custom'?"
    assert wrong("benchmark", benchmark="custom").remedy == "give --metadata-csv"
    assert "no such file" in wrong("benchmark", metadata_csv=tmp_path / "gone.csv").found
    write_mixtures(table, [Mixture(Row(clips["rain"], "rain"), Row(tmp_path / "gone.wav", ""))])
    assert "1 of 1 items" in wrong("benchmark", metadata_csv=table).found


def test_a_disk_a_device_or_a_package_that_is_not_fit_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_space", lambda folder: 1 << 20)
    assert "0.0 GB free of" in wrong("disk", workspace=tmp_path).found
    monkeypatch.undo()
    (tmp_path / "file").touch()
    assert "cannot write there" in wrong("disk", workspace=tmp_path / "file").found
    (check,) = [check for check in doctor(DoctorOptions(device="cuda:99")) if check.what == "device"]
    assert check.state == "wrong"
    assert "File name too long" in wrong("disk", workspace=tmp_path / ("a" * 300)).found

    def busy(name: str) -> torch.device:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy\nand more")

    with monkeypatch.context() as patched:
        patched.setattr(room, "choose_device", busy)
        assert wrong("device").found == "CUDA error: all CUDA-capable devices are busy"
    monkeypatch.setattr(room, "requires", lambda name: ["numpy>=99", "no-such-package-xyz", 'tomli; extra == "dev"'])
    assert wrong("versions").found.endswith("no-such-package-xyz is not installed")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use this machine's GPU")
def test_a_gpu_that_torch_cannot_use_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "nvidia_driver", lambda: "535.104.05")
    (check,) = [check for check in doctor(DoctorOptions(device="auto")) if check.what == "device"][:1]
    assert (check.state, "driver 535.104.05 is installed" in check.found) == ("wrong", True)
