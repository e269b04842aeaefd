"""What a selection policy is: it says which adapter serves a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.policies.domain_texts import DomainTexts


@dataclass(frozen=True)
class Choice:
    """What a policy may look at.

    Attributes:
        query: the query's embedding, float32 (D,).
        bank: the loaded adapters and their domains.
        texts: the domains as points of the encoder's space.
        similarities: {key: cosine of the adapter's output with the query}; only where every adapter has run.
        scores: {key: SDRi + SI-SDR in dB against the reference}; only evaluations have it.
    """

    query: Tensor
    bank: AdapterBank
    texts: DomainTexts
    similarities: Mapping[str, float] | None = None
    scores: Mapping[str, float] | None = None


class Policy(Protocol):
    """A rule of selection; one file each in this folder, and a line in its table.

    Attributes:
        name: how it is asked for.
        uses_outputs: it looks at what the adapters make of the mixture, so all of them have to run.
        uses_reference: it looks at the true source, so it is a bound and not a method.
        contrasts: the target is then contrasted with what is left over; it chooses for that too.
    """

    name: str
    uses_outputs: bool
    uses_reference: bool
    contrasts: bool

    def choose(self, choice: Choice) -> Activation:
        """Return what serves the query: an adapter's key, weights of several, or None for the base alone."""
        ...
