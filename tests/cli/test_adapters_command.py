"""``dplass adapters``: every verb as a user runs it, on a small base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_networks import SMALL, loaded, small_inputs, small_network
from typer.testing import CliRunner

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.adapter_folder import load_adapter, save_adapter
from dplass_cli.adapters.bank_folder import read_bank
from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.cli import app
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.models import BaseModel, load_base, save_base
from dplass_cli.models.audiosep_checkpoint import write_audiosep, write_checkpoint
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, and an adapter of every method for it."""
    folder = tmp_path_factory.mktemp("adapters")
    network = small_network()
    save_base(folder / "base.safetensors", network, "e")
    for method in METHODS:
        save_adapter(folder / method, loaded(network, AdapterSettings(method)))
    return folder


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["adapters", *map(str, arguments)])


def done(*arguments: str | Path) -> Any:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(message: str, *arguments: str | Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    assert message in result.stderr


def output_of(network: BaseModel) -> torch.Tensor:
    with torch.inference_mode():
        return network(*small_inputs())


def adapted_output(folder: Path, adapter: Path) -> torch.Tensor:
    network = load_base(folder / "base.safetensors")
    bank = AdapterBank(network)
    bank.activate(*bank.load(adapter))
    return output_of(network)


def test_list(folder: Path) -> None:
    content = json.loads(done("list", folder, "--json").stdout)
    assert {item["key"]: item["info"]["method"] for item in content} == {method: method for method in METHODS}
    lora = next(item for item in content if item["key"] == "lora")
    assert lora["parameters"] == sum(t.numel() for t in load_file(folder / "lora" / "adapter.safetensors").values())
    table = done("list", folder / "lora", folder / "dora").stdout
    assert f"{lora['parameters']:,}" in table
    assert "dora" in table


def test_tiny_names_the_bundled_adapters() -> None:
    listed = json.loads(done("list", "tiny", "--json").stdout)
    assert [item["key"] for item in listed] == [f"domain{number}" for number in range(7)]
    refused("tiny: contains 7 adapters; name one of", "info", "tiny")


@pytest.mark.parametrize("method", list(METHODS))
def test_info_counts_what_there_is(folder: Path, method: str) -> None:
    report = json.loads(done("info", folder / method, "--json").stdout)
    network = load_base(folder / "base.safetensors")
    adapter = load_adapter(folder / method, network, network.sha256())
    assert report["trainable"] == sum(p.numel() for layer in adapter.layers.values() for p in layer.parameters())
    assert report["total"] - report["trainable"] == sum(p.numel() for p in network.parameters())
    assert (report["adapter_macs_per_second"] > 0) == (method == "conv-adapter")
    rows = {row["cost"]["path"]: row for row in report["layers"]}
    # By hand: frames a second x bins x inputs x outputs x kernel; the first level runs at full resolution.
    frames = SMALL.sample_rate / SMALL.hop
    first = rows["base.encoder_block1.conv_block1.conv1"]["cost"]
    assert first["macs_per_second"] == pytest.approx(frames * 128 * 4 * 4 * 9)
    second = rows["base.encoder_block2.conv_block1.conv1"]["cost"]
    assert second["macs_per_second"] == pytest.approx(frames / 2 * 64 * 4 * 6 * 9)
    up = rows["base.decoder_block2.conv1"]["cost"]
    assert up["macs_per_second"] == pytest.approx(frames / 2 * 64 * 6 * 4 * 4)
    film = rows["film.encoder_block1->conv_block1->beta1"]["cost"]
    assert (film["macs_per_second"], film["macs_per_query"]) == (0, 8 * 4)
    if method == "conv-adapter":
        added = rows["base.encoder_block1.conv_block1.conv1"]["adapter_macs_per_second"]
        assert added == pytest.approx(frames * 128 * (4 * 9 + 4 * 4 + 4 * 4))
    assert rows["base.decoder_block1.bn2"]["cost"]["dead"] == 12
    assert rows["film.decoder_block1->beta2"]["cost"]["dead"] == 8 * 6 + 6
    assert report["dead"] == sum(row["cost"]["dead"] for row in rows.values())


def test_info_of_the_bundled_base_and_for_people(folder: Path) -> None:
    text = done("info").stdout
    assert "7,919,898 in all, 7,919,898 trainable" in text
    text = done("info", folder / "conv-adapter").stdout
    assert "method conv-adapter, 10 layers, rank 4, batchnorm frozen, stored as float32, domain 3 (x)" in text
    assert small_network().sha256() in text


@pytest.mark.parametrize("method", ["reconv", "lora", "dora"])
@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_merge_writes_a_plain_base_that_does_the_same(folder: Path, tmp_path: Path, method: str, suffix: str) -> None:
    out = tmp_path / f"merged{suffix}"
    done("merge", folder / method, "--base-checkpoint", folder / "base.safetensors", "--output", out)
    merged = load_base(out, config=SMALL)
    torch.testing.assert_close(output_of(merged), adapted_output(folder, folder / method), atol=1e-6, rtol=0)
    assert merged.sha256() != small_network().sha256()
    if suffix == ".safetensors":
        assert merged.encoder_fingerprint == "e"
        assert load_base(out).config == SMALL


def test_merged_checkpoint_has_the_published_layout(folder: Path, tmp_path: Path) -> None:
    """Kernels included, and the query encoder of the base's file taken along."""
    network = small_network()
    base = tmp_path / "audiosep.ckpt"
    write_audiosep(base, network)
    content = torch.load(base, weights_only=True)
    encoder = {"query_encoder.model.logit_scale_a": torch.tensor(2.0)}
    torch.save({**content, "state_dict": {**content["state_dict"], **encoder}, "optimizer_states": []}, base)
    assert load_base(base, config=SMALL).sha256() == network.sha256()
    write_audiosep(tmp_path / "again.ckpt", network, base)
    again = torch.load(tmp_path / "again.ckpt", weights_only=True)
    assert again["pytorch-lightning_version"]
    assert again["state_dict"].keys() == content["state_dict"].keys() | encoder.keys()
    assert {k for k in content["state_dict"] if "stft" in k} == {
        f"ss_model.base.{name}"
        for name in (
            "stft.conv_real.weight",
            "stft.conv_imag.weight",
            "istft.ola_window",
            "istft.conv_real.weight",
            "istft.conv_imag.weight",
        )
    }


def test_merge_refusals(folder: Path, tmp_path: Path) -> None:
    base = ("--base-checkpoint", folder / "base.safetensors")
    refused(
        "'conv-adapter' is not a weight delta: it cannot merge",
        "merge",
        folder / "conv-adapter",
        *base,
        "-o",
        tmp_path / "a.ckpt",
    )
    refused("must end in .safetensors or .ckpt", "merge", folder / "lora", *base, "-o", tmp_path / "a.bin")
    refused("contains 4 adapters; name one of", "merge", folder, *base, "-o", tmp_path / "a.ckpt")
    refused("belongs to another base", "merge", folder / "lora", "-o", tmp_path / "a.ckpt")
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over_what_it_is_made_of(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copied"))
    base = ("--base-checkpoint", copied / "base.safetensors")
    said = "would overwrite its own source"
    refused(said, "merge", copied / "lora", *base, "-o", copied / "base.safetensors")
    refused(said, "export", copied / "dora", *base, "-o", copied / "base.safetensors")
    refused(said, "compress", copied / "lora", *base, "--rank", "1", "-o", copied / "lora")
    refused(said, "merge", copied / "lora", *base, "-o", copied / "lora" / "adapter.safetensors")
    (tmp_path / "solo").mkdir()
    (copied / "dora").rename(tmp_path / "solo" / "dora")
    refused(said, "compress", tmp_path / "solo", *base, "--rank", "1", "-o", tmp_path / "solo" / "dora")
    (tmp_path / "solo" / "dora").rename(copied / "dora")
    assert adapted_output(copied, copied / "lora").equal(adapted_output(folder, folder / "lora"))


def test_outputs_that_cannot_be(folder: Path, tmp_path: Path) -> None:
    base = ("--base-checkpoint", folder / "base.safetensors")
    (tmp_path / "there").touch()
    (tmp_path / "a.safetensors").mkdir()
    compressing = ("compress", folder / "lora", *base, "--rank", "1", "-o")
    refused("there: cannot create this folder", *compressing, tmp_path / "there")
    refused("cannot create this folder", *compressing, tmp_path / "there" / "a")
    refused("is a folder; give the name of a file", "merge", folder / "lora", *base, "-o", tmp_path / "a.safetensors")
    refused("give one, or an adapter folder", "list", folder / "base.safetensors")


def test_a_base_that_audiosep_lacks_is_not_written_as_its_checkpoint(tmp_path: Path) -> None:
    network = load_base("tiny")
    save_adapter(tmp_path / "a", loaded(network, AdapterSettings("lora")))
    refused(
        "; write a plain base with 'dplass adapters merge ADAPTER --output NAME.safetensors'",
        "merge",
        tmp_path / "a",
        "-o",
        tmp_path / "merged.ckpt",
    )
    done("merge", tmp_path / "a", "-o", tmp_path / "merged.safetensors")


def test_compress(folder: Path, tmp_path: Path) -> None:
    base = ("--base-checkpoint", folder / "base.safetensors")
    whole = json.loads(
        done("compress", folder / "reconv", *base, "--rank", "99", "-o", tmp_path / "whole", "--json").stdout
    )
    assert all(share == pytest.approx(1.0) for share in whole["energy_kept"].values())
    torch.testing.assert_close(
        adapted_output(folder, tmp_path / "whole"),
        adapted_output(folder, folder / "reconv"),
        atol=1e-4,
        rtol=0,
    )
    small = json.loads(
        done(
            "compress",
            folder / "reconv",
            *base,
            "--rank",
            "2",
            "-o",
            tmp_path / "small",
            "--dtype",
            "float16",
            "--json",
        ).stdout
    )
    assert all(0.2 < share < 1.0 for share in small["energy_kept"].values())
    network = load_base(folder / "base.safetensors")
    adapter = load_adapter(tmp_path / "small", network, network.sha256())
    assert (adapter.info.method, adapter.info.dtype) == ("lora", "float16")
    # The best of its rank, so the energy is that of the largest singular values.
    path = next(iter(adapter.layers))
    original = load_adapter(folder / "reconv", network, network.sha256()).layers[path]
    change = (original.scale * original.kernel).flatten(1).double()  # type: ignore[operator, union-attr]
    sizes = torch.linalg.svdvals(change)
    assert small["energy_kept"][path] == pytest.approx(float((sizes[:2] ** 2).sum() / (sizes**2).sum()))
    assert "energy kept" in done("compress", folder / "dora", *base, "--rank", "3", "-o", tmp_path / "d").stdout
    refused(
        "'conv-adapter' is not a weight delta",
        "compress",
        folder / "conv-adapter",
        *base,
        "--rank",
        "2",
        "-o",
        tmp_path / "c",
    )
    refused("--rank 0: must be at least 1", "compress", folder / "lora", *base, "--rank", "0", "-o", tmp_path / "c")
    refused(
        "--dtype int8: must be one of float32",
        "compress",
        folder / "lora",
        *base,
        "--rank",
        "2",
        "-o",
        tmp_path / "c",
        "--dtype",
        "int8",
    )


def test_diff(folder: Path) -> None:
    base = ("--base-checkpoint", folder / "base.safetensors")
    to_base = json.loads(done("diff", folder / "lora", *base, "--json").stdout)["relative_change"]
    network = load_base(folder / "base.safetensors")
    adapter = load_adapter(folder / "lora", network, network.sha256())
    for path, layer in adapter.layers.items():
        weight = network.get_submodule(path).weight
        assert to_base[path] == pytest.approx(float((layer(weight) - weight).norm() / weight.norm()), rel=1e-4)  # type: ignore[operator, union-attr, arg-type]
    assert set(
        json.loads(done("diff", folder / "lora", folder / "lora", *base, "--json").stdout)["relative_change"].values()
    ) == {0.0}
    assert "relative change" in done("diff", folder / "lora", folder / "dora", *base).stdout
    refused("is not a weight delta", "diff", folder / "conv-adapter", *base)


@pytest.fixture
def published(tmp_path: Path, folder: Path) -> Path:
    """Two published files, the second with statistics of its own and a merged weight."""
    network = load_base(folder / "base.safetensors")
    (tmp_path / "files").mkdir()
    for number, statistics in ((0, {}), (4, {"base.bn0.running_mean": torch.ones(129)})):
        content = to_published(loaded(network, AdapterSettings("dora"), number, statistics), network)
        if statistics:
            content["dora_state_dict"]["model.base.conv_block7a.conv_block1.conv1.conv.weight"] = torch.ones(6, 6, 3, 3)
        write_checkpoint(tmp_path / "files" / f"cluster{number}_model.pt", content)
    return tmp_path / "files"


def test_import_and_export_again(folder: Path, published: Path, tmp_path: Path) -> None:
    base = ("--base-checkpoint", folder / "base.safetensors")
    files = sorted(published.iterdir())
    result = done("import", *files, *base, "--output", tmp_path / "bank")
    assert "domain4: base.conv_block7a.conv_block1.conv1: conv.weight is not the frozen weight" in result.stderr
    network = load_base(folder / "base.safetensors")
    bank = AdapterBank(network)
    assert bank.load(tmp_path / "bank") == ["domain0", "domain4"]
    assert not list(tmp_path.glob("bank/base*"))
    for file, key in zip(files, bank.keys, strict=True):
        done("export", tmp_path / "bank" / key, *base, "--output", tmp_path / "again.pt")
        before, after = (
            torch.load(path, weights_only=True)["dora_state_dict"] for path in (file, tmp_path / "again.pt")
        )
        assert list(before) == list(after)
        differing = [name for name in before if not torch.equal(before[name], after[name])]
        assert differing == (["model.base.conv_block7a.conv_block1.conv1.conv.weight"] if key == "domain4" else [])
        listed = json.loads(done("list", file, "--json").stdout)
        assert listed[0]["key"] == key


def test_import_makes_a_bank_of_a_partition(folder: Path, published: Path, tmp_path: Path) -> None:
    domains = tuple(Domain(n, f"name {n}", (f"caption {n}",), 1) for n in range(7))
    Partition(domains, torch.eye(7), torch.eye(7), "tiny", "e").save(tmp_path / "partition")
    base = ("--base-checkpoint", folder / "base.safetensors")
    files = sorted(published.iterdir())
    done(
        "import",
        *files,
        *base,
        "--partition",
        tmp_path / "partition",
        "--output",
        tmp_path / "bank",
        "--set",
        "adapter.dtype=float16",
    )
    bank = AdapterBank(load_base(folder / "base.safetensors"))
    assert bank.load(tmp_path / "bank") == ["domain0", "domain4"]
    assert bank.domains["domain4"].captions == ("caption 4",)
    assert bank.infos["domain4"].domain == {"id": 4, "name": "name 4"}
    assert bank.infos["domain4"].dtype == "float16"
    described = json.loads((tmp_path / "bank" / "bank.json").read_text())
    described["domains"][0]["sdri_gain_db"] = 0.8
    (tmp_path / "bank" / "bank.json").write_text(json.dumps(described))
    partition = ("--partition", tmp_path / "partition")
    done("import", files[1], *base, *partition, "--output", tmp_path / "bank")  # one more, or again
    again = read_bank(tmp_path / "bank")
    assert {key: domain.sdri_gain_db for key, domain in again.items()} == {"domain0": 0.8, "domain4": 0.0}
    refused("contains a partition", "import", files[0], *base, *partition, "-o", tmp_path / "partition")
    (published / "cluster9_model.pt").write_bytes(files[0].read_bytes())
    refused(
        "its name contains no domain of the partition",
        "import",
        published / "cluster9_model.pt",
        *base,
        "--partition",
        tmp_path / "partition",
        "-o",
        tmp_path / "b",
    )


def test_import_refusals(folder: Path, published: Path, tmp_path: Path) -> None:
    first = published / "cluster0_model.pt"
    refused(
        "its frozen weights are not those of",
        "import",
        first,
        "--base-checkpoint",
        other_base(tmp_path),
        "-o",
        tmp_path / "b",
    )
    refused("not weights of this network", "import", first, "-o", tmp_path / "b")  # of the published width it is not
    done("info", first, "--base-checkpoint", folder / "base.safetensors")
    refused("no such checkpoint", "import", tmp_path / "no.pt", "-o", tmp_path / "b")
    refused("FILE is not given", "import", "-o", tmp_path / "b")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "my_cluster0.pt").write_bytes(first.read_bytes())
    refused("is domain0, and so is", "import", first, tmp_path / "copy" / "my_cluster0.pt", "-o", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def other_base(tmp_path: Path) -> Path:
    save_base(tmp_path / "other.safetensors", small_network(seed=8), None)
    return tmp_path / "other.safetensors"
