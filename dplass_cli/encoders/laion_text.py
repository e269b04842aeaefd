"""The tokenizer of LAION's CLAP: RoBERTa's, from a local folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dplass_cli.encoders.laion_model import CONTEXT, PAD, ROBERTA
from dplass_cli.errors import InputError, first_line

_log = logging.getLogger(__name__)

_BOS, _EOS = 0, 2
_FETCH = (
    "fetch vocab.json and merges.txt, or tokenizer.json, of roberta-base (dplass weights fetch roberta) and"
    " give their folder with --tokenizer"
)


class Tokenizer:
    """Sentences to RoBERTa's tokens, cut to the 77 that the encoder takes.

    Args:
        folder: holds ``vocab.json`` and ``merges.txt``, or ``tokenizer.json``.

    Raises:
        InputError: no folder is given, or it lacks these files, or they are damaged or another model's.
    """

    def __init__(self, folder: Path | str | None) -> None:
        if folder is None:
            raise InputError(f"LAION's CLAP needs RoBERTa's tokenizer; {_FETCH}")
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"--tokenizer {folder}: no such folder; {_FETCH}")
        names = {path.name for path in folder.iterdir()}
        if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
            raise InputError(f"--tokenizer {folder}: holds no tokenizer; {_FETCH}")
        self._tokenizer = _read(folder)
        self._cut = False

    def tokens(self, sentence: str) -> list[int]:
        """Return a sentence's tokens, at most 77; that something was cut is logged once."""
        tokens: list[int] = self._tokenizer(sentence, verbose=False)["input_ids"]
        if len(tokens) <= CONTEXT:
            return tokens
        if not self._cut:
            self._cut = True
            _log.warning(
                "%r … has %d tokens; only the first %d of a text are heard, here and in others",
                sentence[:40],
                len(tokens),
                CONTEXT,
            )
        return [*tokens[: CONTEXT - 1], _EOS]


def _read(folder: Path) -> Any:
    from transformers import RobertaTokenizerFast

    try:
        tokenizer = RobertaTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # damaged files fail in any way, with plain Exceptions from the tokenizers library
        raise InputError(f"--tokenizer {folder}: not a readable tokenizer ({first_line(error)}); {_FETCH}") from error
    special = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    if special != (_BOS, PAD, _EOS) or len(tokenizer) > ROBERTA["vocab_size"]:
        raise InputError(f"--tokenizer {folder}: another model's tokenizer, not RoBERTa's; {_FETCH}")
    return tokenizer


def pad(tokens: list[list[int]]) -> dict[str, Tensor]:
    """Pad tokens of N sentences to the longest: int64 ``input_ids`` and ``attention_mask`` (N, L)."""
    longest = max(len(row) for row in tokens)
    return {
        "input_ids": torch.tensor([row + [PAD] * (longest - len(row)) for row in tokens]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in tokens]),
    }
