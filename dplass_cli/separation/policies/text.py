"""``text``: the adapter of the domain whose text centroid is nearest the query."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice, Requirement


class TextPolicy:
    """Chooses before anything is separated, so one forward pass serves a query."""

    name = "text"
    requires: frozenset[Requirement] = frozenset({"domains"})

    def choose(self, choice: Choice) -> str:
        """Return the adapter of the domain with the largest cosine to the query."""
        cosines = choice.texts.centroids @ choice.query.double().numpy()
        return choice.texts.keys[int(cosines.argmax())]
