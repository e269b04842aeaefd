"""``oracle``: the published protocol, which looks at the true source."""

from __future__ import annotations

from dplass_cli.errors import InputError
from dplass_cli.separation.policies.base import Choice, Requirement


class OraclePolicy:
    """Takes the adapter whose output has the largest SDRi + SI-SDR against the reference.

    An upper bound for selecting one adapter under that score; it is not available without the true source. Refinement
    or the base model can exceed it.
    """

    name = "oracle"
    requires: frozenset[Requirement] = frozenset({"adapters", "outputs", "reference"})

    def choose(self, choice: Choice) -> str:
        """Return the key with the largest score; the first on ties.

        Raises:
            InputError: there is no reference.
        """
        if not choice.scores:
            raise InputError("--select oracle: needs the true source; use it in evaluations only")
        return max(choice.scores, key=choice.scores.__getitem__)
