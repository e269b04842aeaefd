"""The selection policy protocol: a policy chooses the adapter that serves a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.policies.domain_texts import DomainTexts

Requirement = Literal["adapters", "domains", "linear", "outputs", "reference"]
"""What a policy needs: any adapters; adapters with domains; adapters that are weight deltas and can be summed; the
outputs of every adapter on the mixture; the true source, which only evaluations have."""


@dataclass(frozen=True)
class Choice:
    """What a policy may look at.

    Attributes:
        query: the query's embedding, float32 (D,).
        bank: the loaded adapters and their domains.
        texts: the domains as points of the encoder's space.
        similarities: {key: cosine of the adapter's output with the query}; only for policies that require outputs.
        scores: {key: SDRi + SI-SDR of the adapter's output in dB}; only for policies that require the reference.
    """

    query: Tensor
    bank: AdapterBank
    texts: DomainTexts
    similarities: Mapping[str, float] | None = None
    scores: Mapping[str, float] | None = None


class Policy(Protocol):
    """A selection policy: one file in this folder and one row of its table.

    Attributes:
        name: as users write it, such as ``text`` or ``single:3``.
        requires: what it needs to choose.
    """

    name: str
    requires: frozenset[Requirement]

    def choose(self, choice: Choice) -> Activation:
        """Return what serves the query: an adapter's key, weights of several adapters, or None for the base alone."""
        ...


def chooses_by_query(policy: Policy) -> bool:
    """Whether a policy decides before anything is separated."""
    return not policy.requires & {"outputs", "reference"}
