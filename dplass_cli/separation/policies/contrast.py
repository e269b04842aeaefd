"""``contrast``: chooses for the query and for what is left over; the target gets a share of what neither claims."""

from __future__ import annotations

from dplass_cli.errors import InputError
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.policies.base import Choice, Policy
from dplass_cli.separation.policies.unadapted import BasePolicy
from dplass_cli.separation.policies.validated import ValidatedPolicy


class ContrastPolicy:
    """Has what is left over separated too (:mod:`dplass_cli.separation.refinement`).

    Args:
        inner: chooses for both; default ``proven`` where adapters with domains are loaded, else ``base``.

    Raises:
        InputError: the inner policy needs outputs or the true source.
    """

    uses_outputs = uses_reference = False
    contrasts = True

    def __init__(self, inner: Policy | None = None) -> None:
        self.name = f"contrast:{inner.name}" if inner else "contrast"
        if inner and (inner.uses_outputs or inner.uses_reference or inner.contrasts):
            raise InputError(f"--select {self.name}: takes a policy that goes by the query, such as contrast:text")
        self._inner = inner

    def choose(self, choice: Choice) -> Activation:
        """Return what serves an embedding: the query's, or that of what is left over.

        Raises:
            InputError: the inner policy lacks what it needs.
        """
        return (self._inner or (ValidatedPolicy() if choice.bank.domains else BasePolicy())).choose(choice)
