"""The bank folder: what is found in it, what is written to it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_networks import loaded, small_network

from dplass_cli.adapters.adapter_folder import save_adapter
from dplass_cli.adapters.bank_folder import (
    BankDomain,
    bank_place,
    find_adapters,
    list_adapters,
    load_single_adapter,
    published_key,
    read_adapter,
    read_bank,
    single_adapter,
    write_bank,
    write_partition_bank,
)
from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.errors import InputError
from dplass_cli.models.audiosep_checkpoint import write_checkpoint
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.storage import read_json, write_json

DOMAINS = [
    BankDomain(4, "Dogs", ("bark", "growl"), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.25),
    BankDomain(1, "Rain", ("rain",), torch.tensor([0.6, 0.8]), torch.tensor([0.8, 0.6])),
]


def save_one(folder: Path) -> None:
    save_adapter(folder, loaded(small_network(), AdapterSettings("lora")))


def test_a_bank_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_bank(tmp_path, DOMAINS, {})
    read = read_bank(tmp_path)
    assert list(read) == ["domain4", "domain1"]
    for domain, written in zip(read.values(), DOMAINS, strict=True):
        assert (domain.id, domain.name, domain.captions) == (written.id, written.name, written.captions)
        assert domain.sdri_gain_db == written.sdri_gain_db
        assert torch.equal(domain.text_centroid, written.text_centroid)
        assert torch.equal(domain.audio_centroid, written.audio_centroid)


def test_the_description_keeps_further_entries(tmp_path: Path) -> None:
    write_bank(tmp_path, DOMAINS, {"base_sha256": "b"})
    assert read_json(tmp_path / "bank.json")["base_sha256"] == "b"


def test_gains_are_read_under_the_name_of_version_0_1(tmp_path: Path) -> None:
    write_bank(tmp_path, DOMAINS, {})
    described = read_json(tmp_path / "bank.json")
    for entry in described["domains"]:
        entry["gain_db"] = 10 * entry.pop("sdri_gain_db")
    write_json(tmp_path / "bank.json", described)
    assert [domain.sdri_gain_db for domain in read_bank(tmp_path).values()] == [2.5, 0.0]


def test_the_adapters_of_a_bank_are_those_that_it_describes(tmp_path: Path) -> None:
    write_bank(tmp_path, DOMAINS, {})
    for domain in (1, 4, 9):
        save_one(tmp_path / f"domain{domain}")
    assert find_adapters(tmp_path) == {"domain4": tmp_path / "domain4", "domain1": tmp_path / "domain1"}


def test_an_adapter_folder_is_found_under_its_own_name(tmp_path: Path) -> None:
    save_one(tmp_path / "mine")
    assert find_adapters(tmp_path / "mine") == {"mine": tmp_path / "mine"}


def test_adapters_in_a_folder_without_a_description_are_found_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        save_one(tmp_path / name)
    (tmp_path / "notes").mkdir()
    assert list(find_adapters(tmp_path)) == ["a", "b"]


def test_a_published_file_is_found_under_its_cluster(tmp_path: Path) -> None:
    file = tmp_path / "reconv_cluster3.pt"
    file.write_bytes(b"any")
    assert find_adapters(file) == {"domain3": file}


def test_a_published_file_without_a_cluster_keeps_its_name() -> None:
    assert published_key(Path("weights/mine.v2.pt")) == "mine.v2"


def test_the_bank_of_a_training_workspace_is_suggested(tmp_path: Path) -> None:
    write_bank(tmp_path / "run" / "bank", DOMAINS, {})
    with pytest.raises(InputError, match=r"run: is a training workspace; use its bank, .*run/bank"):
        find_adapters(tmp_path / "run")


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: no such file or folder"):
        find_adapters(tmp_path / "gone")


def test_a_folder_without_adapters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"contains no bank \(bank\.json\), adapter folder"):
        find_adapters(tmp_path)


def test_tiny_is_the_bundled_bank() -> None:
    assert len(read_bank(bank_place("tiny"))) == 7


def test_an_adapter_is_the_same_from_its_folder_and_its_published_file(tmp_path: Path) -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings("lora"))
    save_adapter(tmp_path / "folder", adapter)
    write_checkpoint(tmp_path / "file.pt", to_published(adapter, network))
    own, published = (read_adapter(tmp_path / name, network, network.sha256()) for name in ("folder", "file.pt"))
    assert own.layers.keys() == published.layers.keys()
    for path, layer in own.layers.items():
        torch.testing.assert_close(published.layers[path].state_dict(), layer.state_dict())


def test_other_json_files_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "bank.json", {"format": "something else"})
    with pytest.raises(InputError, match=r"bank\.json: not a bank description"):
        read_bank(tmp_path)


def test_a_bank_needs_two_centroids_per_domain(tmp_path: Path) -> None:
    write_bank(tmp_path, DOMAINS, {})
    described = read_json(tmp_path / "bank.json")
    del described["domains"][0]
    write_json(tmp_path / "bank.json", described)
    with pytest.raises(InputError, match="does not contain two centroids for each of the 1 domains"):
        read_bank(tmp_path)


def test_centroids_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    write_bank(tmp_path, [replace(DOMAINS[0], text_centroid=torch.tensor([1.0, float("nan")]))], {})
    with pytest.raises(InputError, match="contains values that are not finite"):
        read_bank(tmp_path)


def test_two_domains_of_one_id_are_refused(tmp_path: Path) -> None:
    write_bank(tmp_path, [DOMAINS[0], DOMAINS[0]], {})
    with pytest.raises(InputError, match="domain ids must be unique"):
        read_bank(tmp_path)


def test_a_partition_without_adapters_writes_no_bank(tmp_path: Path) -> None:
    partition = Partition((Domain(0, "x", ("x",), 1),), torch.eye(1), torch.eye(1), "tiny", "e")
    write_partition_bank(tmp_path, partition, "b", ["domain0"])
    assert not list(tmp_path.iterdir())


def test_rewriting_a_bank_keeps_the_gains_of_unchanged_adapters(tmp_path: Path) -> None:
    network = small_network()
    domains = tuple(Domain(n, f"name {n}", (str(n),), 1) for n in range(3))
    partition = Partition(domains, torch.eye(3), torch.eye(3), "tiny", "e")

    def save(number: int, base: str = "b") -> None:
        adapter = loaded(network, AdapterSettings("lora"), number)
        info = replace(adapter.info, base_sha256=base, domain={"id": number, "name": f"name {number}"})
        save_adapter(tmp_path / f"domain{number}", replace(adapter, info=info))

    for number in range(2):
        save(number)
    write_partition_bank(tmp_path, partition, "b", ["domain0", "domain1", "domain2"])
    assert list(read_bank(tmp_path)) == ["domain0", "domain1"]
    described = read_json(tmp_path / "bank.json")
    for entry in described["domains"]:
        entry["gain_db"] = 0.5 + entry["id"]
    write_json(tmp_path / "bank.json", described)
    save(2)
    write_partition_bank(tmp_path, partition, "b", ["domain1", "domain2"])
    assert {key: d.sdri_gain_db for key, d in read_bank(tmp_path).items()} == {
        "domain0": 0.5,
        "domain1": 0,
        "domain2": 0,
    }
    whole = (tmp_path / "centroids.safetensors").read_bytes()
    (tmp_path / "centroids.safetensors").write_bytes(whole[:-3])
    with pytest.raises(InputError, match=r"centroids\.safetensors"):  # the gain of domain0 would be lost
        write_partition_bank(tmp_path, partition, "b", ["domain1", "domain2"])
    assert read_json(tmp_path / "bank.json")["domains"][0]["sdri_gain_db"] == 0.5
    write_partition_bank(tmp_path, partition, "b", ["domain0", "domain1", "domain2"])  # replaces all, so repairs it
    assert list(read_bank(tmp_path)) == ["domain0", "domain1", "domain2"]
    save(2, "c")
    write_partition_bank(tmp_path, partition, "c", ["domain2"])
    assert list(read_bank(tmp_path)) == ["domain2"]  # the others are of another base


@pytest.mark.parametrize("id", ["0/../../elsewhere", -1, 1.5, None])
def test_a_bank_with_invalid_ids_is_refused(tmp_path: Path, id: object) -> None:
    write_bank(tmp_path, [BankDomain(0, "x", ("a",), torch.ones(3), torch.ones(3))], {})
    described = json.loads((tmp_path / "bank.json").read_text())
    described["domains"][0]["id"] = id
    (tmp_path / "bank.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=r"bank\.json"):
        read_bank(tmp_path)


def test_a_bank_with_damaged_centroids_is_refused(tmp_path: Path) -> None:
    write_bank(tmp_path, [BankDomain(0, "x", ("a",), torch.ones(3), torch.ones(3))], {})
    whole = (tmp_path / "centroids.safetensors").read_bytes()
    for damaged in (whole[:-3], b"", b"\xff" * 20):
        (tmp_path / "centroids.safetensors").write_bytes(damaged)
        with pytest.raises(InputError, match=r"centroids\.safetensors"):
            read_bank(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two adapter folders, and a DP-LASS file next to it."""
    network = small_network()
    for method in ("lora", "reconv"):
        save_adapter(tmp_path / "adapters" / method, loaded(network, AdapterSettings(method)))
    write_checkpoint(tmp_path / "cluster3.pt", to_published(loaded(network, AdapterSettings("dora")), network))
    return tmp_path / "adapters"


def test_folders_and_files_are_listed_with_their_sizes(folder: Path) -> None:
    listed = list_adapters([folder, folder.parent / "cluster3.pt"])
    assert [(item.key, item.info.method) for item in listed] == [
        ("lora", "lora"),
        ("reconv", "reconv"),
        ("domain3", "dora"),
    ]
    for item in listed:
        adapter = load_single_adapter(item.path, small_network())
        assert item.parameters == sum(p.numel() for layer in adapter.layers.values() for p in layer.parameters())
        assert item.size > 4 * item.parameters or item.info.method == "dora"


def test_the_only_adapter_of_a_folder_is_found(folder: Path) -> None:
    assert single_adapter(folder / "lora") == folder / "lora"


def test_several_adapters_are_refused_and_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"adapters: contains 2 adapters; name one of .*lora, .*reconv"):
        single_adapter(folder)


def test_a_bank_without_centroids_says_how_to_get_them(tmp_path: Path) -> None:
    write_bank(tmp_path, [BankDomain(0, "x", ("a",), torch.ones(3), torch.ones(3))], {})
    (tmp_path / "centroids.safetensors").unlink()
    with pytest.raises(InputError, match=r"centroids\.safetensors: no such file; train or import the bank again"):
        read_bank(tmp_path)


def test_a_listed_adapter_whose_folder_is_gone_is_named(tmp_path: Path) -> None:
    write_bank(tmp_path, DOMAINS, {})
    save_one(tmp_path / "domain4")
    with pytest.raises(InputError, match=r"domain1: no such adapter folder, but .*bank.json lists it"):
        find_adapters(tmp_path)
