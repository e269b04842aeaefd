"""``text``: the domain whose text centroid is nearest the query."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice


class TextPolicy:
    """Chooses before anything is separated, so one forward serves a query."""

    name = "text"
    uses_outputs = uses_reference = contrasts = False

    def choose(self, choice: Choice) -> str:
        """Return the adapter of the domain with the largest cosine to the query.

        Raises:
            InputError: no bank with domains is loaded.
        """
        choice.texts.require(self.name)
        cosines = choice.texts.centroids @ choice.query.double().numpy()
        return choice.texts.keys[int(cosines.argmax())]
