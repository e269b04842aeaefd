"""The tokenizer of LAION's CLAP, which is RoBERTa's, read from a local folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dplass_cli.encoders.laion_model import CONTEXT, PAD, ROBERTA
from dplass_cli.errors import InputError, first_line
from dplass_cli.extras import require_extra

_log = logging.getLogger(__name__)

_BOS, _EOS = 0, 2
_FETCH = (
    "fetch vocab.json and merges.txt, or tokenizer.json, of roberta-base (dplass weights fetch roberta) and"
    " give their folder with --tokenizer"
)


class Tokenizer:
    """Turns sentences into RoBERTa's tokens, truncated to the 77 that the encoder accepts.

    ``folder`` contains ``vocab.json`` and ``merges.txt``, or ``tokenizer.json``; InputError if it lacks these files, or
    they are damaged or belong to another model.
    """

    def __init__(self, folder: Path | str | None) -> None:
        if folder is None:
            raise InputError(f"LAION's CLAP needs RoBERTa's tokenizer; {_FETCH}")
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"--tokenizer {folder}: no such folder; {_FETCH}")
        names = {path.name for path in folder.iterdir()}
        if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
            raise InputError(f"--tokenizer {folder}: contains no tokenizer; {_FETCH}")
        self._tokenizer = _read(folder)
        self._truncated = False

    def tokens(self, sentence: str) -> list[int]:
        """The tokens of a sentence, at most 77; the first truncation is logged."""
        tokens: list[int] = self._tokenizer(sentence, verbose=False)["input_ids"]
        if len(tokens) <= CONTEXT:
            return tokens
        if not self._truncated:
            self._truncated = True
            _log.warning(
                "%r … has %d tokens; only the first %d tokens of this and other texts are used",
                sentence[:40],
                len(tokens),
                CONTEXT,
            )
        return [*tokens[: CONTEXT - 1], _EOS]


def _read(folder: Path) -> Any:
    require_extra("clap", "LAION's CLAP")
    from transformers import RobertaTokenizerFast

    try:
        tokenizer = RobertaTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # damaged files raise anything, including plain Exceptions of the tokenizers library
        raise InputError(f"--tokenizer {folder}: not a readable tokenizer ({first_line(error)}); {_FETCH}") from error
    special = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    if special != (_BOS, PAD, _EOS) or len(tokenizer) > ROBERTA["vocab_size"]:
        raise InputError(f"--tokenizer {folder}: not RoBERTa's tokenizer but another model's; {_FETCH}")
    return tokenizer


def pad(tokens: list[list[int]]) -> dict[str, Tensor]:
    """Pad the tokens of N sentences to the longest: ``input_ids`` and ``attention_mask``, int64 (N, L)."""
    longest = max(len(row) for row in tokens)
    return {
        "input_ids": torch.tensor([row + [PAD] * (longest - len(row)) for row in tokens]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in tokens]),
    }
