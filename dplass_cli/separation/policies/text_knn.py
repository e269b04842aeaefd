"""``text-knn``: the domain of the labelled captions that are nearest the query."""

from __future__ import annotations

import numpy as np

from dplass_cli.errors import InputError
from dplass_cli.separation.policies.base import Choice


class TextKnnPolicy:
    """Lets the nearest captions of the partition vote by their cosines; ``text-knn`` asks one, ``text-knn:5`` five."""

    uses_outputs = uses_reference = contrasts = False

    def __init__(self, neighbours: str = "") -> None:
        self.name = f"text-knn:{neighbours}" if neighbours else "text-knn"
        if neighbours and not (neighbours.isdecimal() and int(neighbours) >= 1):
            raise InputError(f"--select {self.name}: give a number of captions, such as text-knn:5")
        self.neighbours = int(neighbours or 1)

    def choose(self, choice: Choice) -> str:
        """Return the adapter of the domain with the most votes; of equal ones, the one of the nearest caption.

        Raises:
            InputError: no bank with domains is loaded.
        """
        choice.texts.require(self.name)
        cosines = choice.texts.captions @ choice.query.double().numpy()
        nearest = np.argsort(-cosines, kind="stable")[: self.neighbours]
        votes: dict[int, float] = {}
        for caption in nearest.tolist():
            owner = int(choice.texts.owners[caption])
            votes[owner] = votes.get(owner, 0.0) + float(cosines[caption])
        return choice.texts.keys[max(votes, key=votes.__getitem__)]
