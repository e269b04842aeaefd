"""Cleaning captions, so that repeated words, misspellings and punctuation do not make two captions of one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.options.parse import from_mapping, parse_yaml
from dplass_cli.resources import resource
from dplass_cli.storage import read_text

_PASSES = 3  # one correction may enable another; a clean caption does not change
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TWICE = re.compile(r"\b([^\W\d_]+)((?:\s+\1\b)+)", re.IGNORECASE)


@dataclass(frozen=True)
class Corrections:
    """The table of ``metadata/caption_corrections.yaml``.

    Attributes:
        words: {misspelt word: correct word}, in any case.
        may_repeat: words that may occur twice in a row.
    """

    words: dict[str, str]
    may_repeat: tuple[str, ...] = ()


class CaptionCleaner:
    """Cleans captions and counts its changes.

    Attributes:
        changes: {(before, after): how often}.
    """

    def __init__(self, corrections: Corrections) -> None:
        self._words = {wrong.casefold(): right for wrong, right in corrections.words.items()}
        self._may_repeat = {word.casefold() for word in corrections.may_repeat}
        self._known: dict[str, str] = {}
        self.changes: Counter[tuple[str, str]] = Counter()

    def __call__(self, caption: str) -> str:
        """Return the clean caption; it is empty only if the caption is."""
        clean = self._known.get(caption)
        if clean is None:
            clean = caption
            for _ in range(_PASSES):
                clean = self._clean(clean) or clean
            self._known[caption] = clean
        if clean != caption:
            self.changes[caption, clean] += 1
        return clean

    def _clean(self, caption: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", caption).split())
        text = re.sub(r"\s+([,.;:!?])", r"\1", text)  # no blank before punctuation
        text = re.sub(r"([,;:!?])\1+", r"\1", text)
        text = re.sub(r"([,;])(?=[^\W\d_])", r"\1 ", text)  # one blank after it
        if " " in text and (text[:1].upper() + text[1:]).isupper():
            text = text.lower()
        text = _TWICE.sub(self._once, text)
        text = _WORD.sub(self._right, text)
        text = text.strip(" ,;:").rstrip(".")  # class names have no full stop
        return text[:1].upper() + text[1:]

    def _once(self, match: re.Match[str]) -> str:
        return match[0] if match[1].casefold() in self._may_repeat else match[1]

    def _right(self, match: re.Match[str]) -> str:
        word = match[0]
        right = self._words.get(word.casefold(), word)
        return right[:1].upper() + right[1:] if word[:1].isupper() else right


def read_corrections(path: Path | None = None) -> Corrections:
    """Read a table of corrections, the shipped one by default.

    Raises:
        InputError: missing, not YAML, or not a table of corrections.
    """
    path = path or resource("metadata/caption_corrections.yaml")
    content = parse_yaml(read_text(path), str(path))
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: not a table of corrections; expected 'words' and 'may_repeat'")
    return from_mapping(Corrections, content, str(path))
