"""The selection policy protocol: a policy chooses the adapter that serves a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from torch import Tensor

from dplass_cli.domains.assignment import domain_probabilities, fit_temperature
from dplass_cli.domains.features import FloatArray, IntArray, text_features
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.separation.bank import Activation, AdapterBank

Requirement = Literal["adapters", "domains", "linear", "outputs", "reference"]
"""What a policy needs: any adapters; adapters with domains; adapters that are weight deltas and can be summed; the
outputs of every adapter on the mixture; the true source, which only evaluations have."""


class DomainTexts:
    """Centroids and captions of a bank's domains in the encoder's space, computed once for all policies."""

    def __init__(self, bank: AdapterBank, encoder: QueryEncoder) -> None:
        self._bank, self._encoder = bank, encoder

    @property
    def keys(self) -> list[str]:
        """The K keys of adapters with a domain."""
        return list(self._bank.domains)

    @cached_property
    def centroids(self) -> FloatArray:
        """The text centroids, float64 (K, D)."""
        return np.stack([domain.text_centroid.double().numpy() for domain in self._bank.domains.values()])

    @cached_property
    def captions(self) -> FloatArray:
        """The embeddings of all C captions, float64 (C, D), unit norm."""
        captions = [caption for domain in self._bank.domains.values() for caption in domain.captions]
        return text_features(captions, self._encoder)

    @cached_property
    def owners(self) -> IntArray:
        """The domain of each caption, int64 (C,), rows of :attr:`centroids`."""
        sizes = [len(domain.captions) for domain in self._bank.domains.values()]
        return np.repeat(np.arange(len(sizes)), sizes)

    @cached_property
    def _temperature(self) -> float:
        return fit_temperature(self.captions, self.owners, self.centroids)

    def sounds(self) -> dict[str, list[str]]:
        """The sounds that the encoder knows, by the name of the domain of the nearest caption, sorted.

        Without domains they are one group, ``sounds``; empty if any sentence will do.
        """
        groups: dict[str, list[str]] = {domain.name: [] for domain in self._bank.domains.values()}
        kinds = sorted(self._encoder.kinds)
        for kind, query in zip(kinds, self._encoder.embed_text(kinds) if kinds else (), strict=True):
            if not self.keys:
                groups.setdefault("sounds", []).append(kind)
                continue
            nearest = int((self.captions @ query.double().numpy()).argmax())
            groups[self._bank.domains[self.keys[int(self.owners[nearest])]].name].append(kind)
        return {name: found for name, found in groups.items() if found}

    def probabilities(self, query: Tensor) -> dict[str, float]:
        """The probability of each domain for a query's embedding, calibrated on the captions: {key: probability}."""
        row = domain_probabilities(query.double().numpy()[None], self.centroids, self._temperature)[0]
        return dict(zip(self.keys, row.tolist(), strict=True))


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
    """A selection policy: one class in this folder and one row of its table.

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
