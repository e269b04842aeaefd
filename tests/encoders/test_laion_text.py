"""The tokenizer, and folders that are refused."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch

from dplass_cli.encoders.laion_text import Tokenizer, pad
from dplass_cli.errors import InputError


def test_both_forms_of_a_tokenizer_folder_give_the_same_tokens(tokenizer_folder: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer(tokenizer_folder)
    tokens = tokenizer.tokens("a dog")
    vocabulary = json.loads((tokenizer_folder / "vocab.json").read_text(encoding="utf-8"))
    assert tokens == [0, vocabulary["a"], vocabulary["Ġdog"], 2]
    tokenizer._tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer(tmp_path).tokens("a dog") == tokens


def test_long_texts_are_truncated_and_the_first_is_logged(
    tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = Tokenizer(tokenizer_folder)
    with caplog.at_level(logging.WARNING):
        exact, longer, longest = (tokenizer.tokens("x" * length) for length in (75, 76, 700))
    assert len(exact) == 77
    assert exact == longer == longest
    assert len(caplog.records) == 1
    assert "only the first 77" in caplog.text


def test_padding_is_masked() -> None:
    padded = pad([[0, 5, 2], [0, 5, 6, 2]])
    assert torch.equal(padded["input_ids"], torch.tensor([[0, 5, 2, 1], [0, 5, 6, 2]]))
    assert torch.equal(padded["attention_mask"], torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]))


@pytest.fixture
def copied(tokenizer_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tokenizer_folder, tmp_path / "copy"))


def refusal(folder: Path | None) -> str:
    with pytest.raises(InputError) as caught:
        Tokenizer(folder)
    assert "fetch vocab.json and merges.txt, or tokenizer.json, of roberta-base" in str(caught.value)
    return str(caught.value)


def test_a_missing_tokenizer_is_refused(tmp_path: Path) -> None:
    assert "needs RoBERTa's tokenizer" in refusal(None)
    assert f"--tokenizer {tmp_path / 'none'}: no such folder" in refusal(tmp_path / "none")
    assert f"--tokenizer {tmp_path}: contains no tokenizer" in refusal(tmp_path)


def test_the_tokenizer_of_another_model_is_refused(copied: Path) -> None:
    (copied / "vocab.json").write_text('{"a": 0, "b": 1}')
    (copied / "merges.txt").write_text("#version: 0.2\n")
    assert "not RoBERTa's tokenizer but another model's" in refusal(copied)


def test_a_damaged_tokenizer_is_refused(copied: Path) -> None:
    (copied / "vocab.json").write_text("{torn")
    assert "not a readable tokenizer" in refusal(copied)
