"""The built-in selection policies, one class each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dplass_cli.adapters.bank_folder import bank_key
from dplass_cli.errors import InputError
from dplass_cli.separation.policies.base import Choice, Requirement


class BasePolicy:
    """The base model for every query."""

    name = "base"
    requires: frozenset[Requirement] = frozenset()

    def choose(self, choice: Choice) -> None:
        return None


class TextPolicy:
    """The adapter of the domain whose text centroid has the largest cosine to the query."""

    name = "text"
    requires: frozenset[Requirement] = frozenset({"domains"})

    def choose(self, choice: Choice) -> str:
        cosines = choice.texts.centroids @ choice.query.double().numpy()
        return choice.texts.keys[int(cosines.argmax())]


class ValidatedPolicy:
    """As ``text`` where the adapter's cross-validated SDRi gain is above 0 dB, otherwise the base."""

    name = "validated"
    requires: frozenset[Requirement] = frozenset({"domains"})

    def choose(self, choice: Choice) -> str | None:
        key = TextPolicy().choose(choice)
        return key if choice.bank.domains[key].sdri_gain_db > 0.0 else None


class TextKnnPolicy:
    """The nearest captions vote for their domains, weighted by their cosines; on ties, the nearest caption decides.

    Args:
        neighbours: how many captions vote: ``""`` (one) or a number, as in ``text-knn:5``.
    """

    requires: frozenset[Requirement] = frozenset({"domains"})

    def __init__(self, neighbours: str = "") -> None:
        self.name = f"text-knn:{neighbours}" if neighbours else "text-knn"
        if neighbours and not (neighbours.isdecimal() and int(neighbours) >= 1):
            raise InputError(f"--select {self.name}: expected a number of captions, such as text-knn:5")
        self.neighbours = int(neighbours or 1)

    def choose(self, choice: Choice) -> str:
        cosines = choice.texts.captions @ choice.query.double().numpy()
        nearest = np.argsort(-cosines, kind="stable")[: self.neighbours]
        votes: dict[int, float] = {}
        for caption in nearest.tolist():
            owner = int(choice.texts.owners[caption])
            votes[owner] = votes.get(owner, 0.0) + float(cosines[caption])
        return choice.texts.keys[max(votes, key=votes.__getitem__)]


class AudioPolicy:
    """Runs every adapter; chooses the one whose output is nearest the query (``core.OutputEmbedding``)."""

    name = "audio"
    requires: frozenset[Requirement] = frozenset({"adapters", "outputs"})

    def choose(self, choice: Choice) -> str:
        assert choice.similarities
        return max(choice.similarities, key=choice.similarities.__getitem__)


class BlendPolicy:
    """One pass under W + Σ pₖ·Δₖ over the domains k, with calibrated probabilities pₖ."""

    name = "blend"
    requires: frozenset[Requirement] = frozenset({"domains", "linear"})

    def choose(self, choice: Choice) -> Mapping[str, float]:
        return choice.texts.probabilities(choice.query)


class OraclePolicy:
    """The published protocol: the adapter whose output has the largest SDRi + SI-SDR against the reference.

    An upper bound for selecting one adapter under that score; it is not available without the true source. Refinement
    or the base model can exceed it.
    """

    name = "oracle"
    requires: frozenset[Requirement] = frozenset({"adapters", "outputs", "reference"})

    def choose(self, choice: Choice) -> str:
        if not choice.scores:
            raise InputError("--select oracle: needs the true source; use it in evaluations only")
        return max(choice.scores, key=choice.scores.__getitem__)


class SinglePolicy:
    """The same adapter for every query, by its key or the number of its domain."""

    requires: frozenset[Requirement] = frozenset()

    def __init__(self, which: str) -> None:
        self.name = f"single:{which}"
        self._which = which

    def choose(self, choice: Choice) -> str:
        return single_key(self._which, choice.bank.keys)


def single_key(which: str, keys: Sequence[str]) -> str:
    """The loaded adapter that a key or a domain's number stands for; InputError if there is none."""
    key = bank_key(int(which)) if which.isdecimal() and which not in keys else which
    if key not in keys:
        raise InputError(f"--select single:{which}: no adapter {key!r} is loaded; loaded: {', '.join(keys) or 'none'}")
    return key
