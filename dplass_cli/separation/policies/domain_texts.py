"""The domains of a bank as points of the encoder's space: what policies on texts share, computed once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from torch import Tensor

from dplass_cli.domains.assignment import domain_probabilities, fit_temperature
from dplass_cli.domains.features import FloatArray, IntArray, text_features
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.errors import InputError
from dplass_cli.separation.bank import AdapterBank


class DomainTexts:
    """Centroids and captions of a bank's domains.

    Args:
        bank: whose domains. encoder: the encoder of its base.
    """

    def __init__(self, bank: AdapterBank, encoder: QueryEncoder) -> None:
        self._bank, self._encoder = bank, encoder

    def require(self, policy: str) -> None:
        """Refuse a policy that needs domains where there are none.

        Raises:
            InputError: the loaded adapters carry no domains.
        """
        if not self._bank.domains:
            raise InputError(
                f"--select {policy}: needs a bank of adapters with domains; give --adapters BANK or --select base"
            )

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
        """The embeddings of all captions, float64 (C, D), unit norm."""
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

    def probabilities(self, query: Tensor) -> dict[str, float]:
        """The probability of each domain for a query's embedding, calibrated on the captions: {key: probability}."""
        row = domain_probabilities(query.double().numpy()[None], self.centroids, self._temperature)[0]
        return dict(zip(self.keys, row.tolist(), strict=True))
