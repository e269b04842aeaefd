"""What a selection policy is: it says which adapter serves a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dplass_cli.separation.bank import AdapterBank


@dataclass(frozen=True)
class Choice:
    """What a policy may look at.

    Attributes:
        query: the query's embedding, float32 (D,).
        bank: the loaded adapters and their domains.
        scores: {key: SDRi + SI-SDR in dB against the reference}; only evaluations have it.
    """

    query: Tensor
    bank: AdapterBank
    scores: Mapping[str, float] | None = None


class Policy(Protocol):
    """A rule of selection; one file each in this folder.

    Attributes:
        name: how it is asked for.
        uses_reference: it looks at the true source, so it is a bound and not a method.
    """

    name: str
    uses_reference: bool

    def choose(self, choice: Choice) -> str | None:
        """Return the key of the adapter that serves the query; None for the base alone."""
        ...
