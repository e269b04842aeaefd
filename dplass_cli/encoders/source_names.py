"""The encoder of networks that know a few sources by name: a sentence becomes a unit vector that selects one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dplass_cli.errors import InputError

MUSDB_SOURCES = ("vocals", "drums", "bass", "other")
"""The sources of MUSDB18, in the order of LaSAFT's published models."""

_TABLE = "spec2spec.embedding.weight"
"""The table of a LaSAFT checkpoint: one row per source."""


class SourceNamesEncoder:
    """Selects a source by its name; implements :class:`~dplass_cli.encoders.base.QueryEncoder` for sentences only.

    ``names`` are those of the sources, in the network's order. A sentence may contain other words, such as "the drums".
    """

    name = "source-names"
    sample_rate = 44100
    windows = ""
    embeds_audio = False

    def __init__(self, names: Sequence[str] = MUSDB_SOURCES) -> None:
        self.kinds = tuple(names)
        self.size = len(self.kinds)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("\n".join((self.name, *self.kinds)).encode()).hexdigest()

    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`; InputError if a sentence does not name one source."""
        for sentence in sentences:
            if note := self.out_of_vocabulary(sentence):
                raise InputError(f"{note}; ask for one of them")
        return torch.eye(self.size)[[self.kinds.index(self._named(sentence)[0]) for sentence in sentences]]

    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """Raise InputError: sounds cannot be compared with names."""
        raise InputError(
            f"this model knows {self._listed()} by name only and cannot compare sounds; use what works by"
            f" name, such as --query {self.kinds[0]}, --select text or --features text"
        )

    def out_of_vocabulary(self, sentence: str) -> str | None:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`."""
        if len(self._named(sentence)) == 1:
            return None
        return f"{sentence!r} does not name one source; this model separates {self._listed()}"

    def _named(self, sentence: str) -> list[str]:
        words = set(re.findall(r"[^\W_]+", sentence.lower()))
        return [name for name in self.kinds if {name, name.removesuffix("s")} & words]

    def _listed(self) -> str:
        return f"{', '.join(self.kinds[:-1])} and {self.kinds[-1]}"


def contained_source_names(tensors: Mapping[str, Any]) -> SourceNamesEncoder | None:
    """The encoder of a LaSAFT checkpoint whose table has one row per source of MUSDB18; None for other content."""
    state = tensors.get("state_dict", tensors)
    table = state.get(_TABLE) if isinstance(state, Mapping) else None
    known = isinstance(table, Tensor) and table.ndim == 2 and len(table) == len(MUSDB_SOURCES)
    return SourceNamesEncoder() if known else None
