"""``audio``: run every adapter and take the one whose output is most similar to the query."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice, Requirement


class AudioPolicy:
    """Takes the adapter whose output's audio embedding is nearest the query's; see ``core.OutputEmbedding``."""

    name = "audio"
    requires: frozenset[Requirement] = frozenset({"adapters", "outputs"})

    def choose(self, choice: Choice) -> str:
        """Return the key with the largest similarity; the first on ties."""
        assert choice.similarities
        return max(choice.similarities, key=choice.similarities.__getitem__)
