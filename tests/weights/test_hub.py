"""Models and adapters on the Hub, which a local server plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_hub import FakeHub, commit_name

from dplass_cli.errors import InputError, RunError
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.weights.hub import CARD, fetch_from_hub, parse_hub_address, push_to_hub
from dplass_cli.weights.named_models import resolve_model


def bank(folder: Path) -> Path:
    for name in ("bank.json", "domain0/adapter.json", "domain0/adapter.safetensors", "notes.txt", "run.pkl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"content of {name}".encode())
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_pushed_is_fetched_by_its_commit(hub: FakeHub, tmp_path: Path) -> None:
    source = bank(tmp_path / "bank")
    first = push_to_hub(source, "hf:me/bank", ["*.json", "*/adapter.*"], {CARD: b"# card"})
    assert str(first) == f"hf:me/bank@{commit_name(1)}"
    assert hub.commits["me/bank"][-1][CARD] == b"# card"
    (source / "bank.json").write_bytes(b"newer")
    push_to_hub(source, "hf:me/bank", ["bank.json"])
    for address, content in ((str(first), b"content of bank.json"), ("hf:me/bank", b"newer")):
        folder, pinned = fetch_from_hub(address)
        assert names(folder) == ["bank.json", "domain0/adapter.json", "domain0/adapter.safetensors"]
        assert (folder / "bank.json").read_bytes() == content
        assert fetch_from_hub(str(pinned)) == (folder, pinned)
    assert not any("notes" in path or "pkl" in path for path in hub.asked)  # nothing that could run code is fetched


def test_what_is_in_the_cache_works_without_the_hub(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, utils

    push_to_hub(bank(tmp_path / "bank"), "hf:me/bank", ["*.json"])
    folder, pinned = fetch_from_hub("hf:me/bank")
    reset = getattr(utils, "reset_sessions", lambda: None)  # before version 1, a session keeps its first settings
    reset()
    try:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert fetch_from_hub("hf:me/bank") == (folder, pinned)
        with pytest.raises(RunError, match=r"hf:me/other: not in the cache, and the Hub cannot be reached"):
            fetch_from_hub("hf:me/other")
    finally:
        reset()


def test_a_private_repository_needs_the_token(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push_to_hub(bank(tmp_path / "bank"), "hf:me/secret", ["*.json"], private=True)
    assert hub.private == {"me/secret"}
    assert names(fetch_from_hub("hf:me/secret")[0]) == ["bank.json"]
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match=r"hf:me/secret@\w+: no such repository, or it is private; .*HF_TOKEN"):
        fetch_from_hub(f"hf:me/secret@{'0' * 40}")
    with pytest.raises(InputError, match=r"hf:me/bank: the Hub refuses access \(401\); set HF_TOKEN"):
        push_to_hub(tmp_path / "bank", "hf:me/bank", ["*.json"])


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("hf:me/none", "hf:me/none: no such repository, or it is private"),
        ("hf:me/bank@v9", "hf:me/bank@v9: no such revision"),
        ("hf:me", "hf:me: expected hf:owner/name or hf:owner/name@revision"),
        ("hf:me/a/b", "hf:me/a/b: expected hf:owner/name"),
        ("hf:me/bank@", "hf:me/bank@: expected hf:owner/name"),
        ("hf:me/a--b", "hf:me/a--b: not a name that the Hub accepts"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(hub: FakeHub, tmp_path: Path, address: str, says: str) -> None:
    push_to_hub(bank(tmp_path / "bank"), "hf:me/bank", ["*.json"])
    with pytest.raises(InputError) as raised:
        fetch_from_hub(address)
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


def test_a_hub_that_is_down_is_one_line(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RunError, match=r"^hf:me/bank: .* cannot be reached"):
        push_to_hub(bank(tmp_path / "bank"), "hf:me/bank", ["*.json"])
    with pytest.raises(RunError, match=r"^hf:me/bank: .* cannot be reached"):
        fetch_from_hub("hf:me/bank")


def test_a_model_on_the_hub_is_a_folder(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "base.safetensors").write_bytes(b"base")
    push_to_hub(tmp_path / "model", "hf:me/model", ["*.safetensors"])
    spec = resolve_model(ModelSpec(name="hf:me/model"))
    assert Path(spec.base).read_bytes() == b"base"
    assert commit_name(1) in str(spec.base)


def test_an_address_prints_as_it_is_written() -> None:
    for text in ("hf:me/bank", "hf:me/bank@v1.0"):
        assert str(parse_hub_address(text)) == text
