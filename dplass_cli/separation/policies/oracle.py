"""``oracle``: the published protocol, which looks at the true source."""

from __future__ import annotations

from dplass_cli.errors import InputError
from dplass_cli.separation.policies.base import Choice


class OraclePolicy:
    """Of the adapters' outputs, the one with the largest SDRi + SI-SDR against the reference.

    An upper bound over the adapters under that score; it cannot be had where the true source is not known.
    """

    name = "oracle"
    uses_outputs = uses_reference = True
    contrasts = False

    def choose(self, choice: Choice) -> str | None:
        """Return the key with the largest score; the first of equal ones.

        Raises:
            InputError: no adapters are loaded, or there is no reference.
        """
        if choice.scores is None:
            raise InputError("--select oracle: needs the true source; it works in evaluations only")
        if not choice.scores:
            raise InputError("--select oracle: needs adapters; give --adapters BANK")
        return max(choice.scores, key=choice.scores.__getitem__)
