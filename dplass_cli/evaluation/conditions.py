"""The conditions of an evaluation: a selection policy, with or without refinement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dplass_cli.adapters import METHODS
from dplass_cli.errors import InputError
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.policies import POLICIES, Policy, make_policy
from dplass_cli.separation.policies.blend import BlendPolicy
from dplass_cli.separation.policies.text import TextPolicy
from dplass_cli.separation.policies.text_knn import TextKnnPolicy
from dplass_cli.separation.policies.validated import ValidatedPolicy

BASE = "base"
"""The name of the run without adapters."""


def requirements_of(policy: Policy) -> frozenset[str]:
    """What a policy needs: members of {"adapters", "domains", "linear", "outputs", "reference"}."""
    requires = set()
    if isinstance(policy, (TextPolicy, TextKnnPolicy, ValidatedPolicy, BlendPolicy)):
        requires.add("domains")
    if isinstance(policy, BlendPolicy):
        requires.add("linear")
    if policy.uses_outputs:
        requires |= {"adapters", "outputs"}
    if policy.uses_reference:
        requires.add("reference")
    return frozenset(requires)


@dataclass(frozen=True)
class Condition:
    """One row of an evaluation's table.

    Attributes:
        policy: chooses the adapters.
        refine: refine the target by a second pass over the residual.
    """

    policy: Policy
    refine: bool = False

    @property
    def name(self) -> str:
        """As it is listed: ``text`` or ``text+residual``."""
        return f"{self.policy.name}+residual" if self.refine else self.policy.name

    @property
    def bound(self) -> bool:
        """Whether it looks at the reference: an upper bound, not a method."""
        return "reference" in requirements_of(self.policy)

    @property
    def chooses_by_query(self) -> bool:
        """Whether it chooses before anything is separated; otherwise every adapter has to run."""
        return not requirements_of(self.policy) & {"outputs", "reference"}

    @property
    def needs_similarity(self) -> bool:
        """Whether it compares the outputs' embeddings with the query."""
        return "outputs" in requirements_of(self.policy) and not self.bound

    def run_name(self, activation: Activation) -> str:
        """The name of the run that serves an activation.

        Runs of the base and of adapters are shared by all conditions; blends and refined outputs belong to one.
        """
        if self.refine or self.policy.contrasts:
            return self.name
        if activation is None:
            return BASE
        return activation if isinstance(activation, str) else self.name


def make_conditions(select: Sequence[str] | None, bank: AdapterBank, similarity: bool) -> list[Condition]:
    """Make conditions from the names of policies.

    Args:
        select: their names; None for all policies that the bank can serve.
        bank: the loaded adapters.
        similarity: whether outputs are embedded.

    Raises:
        InputError: an unknown policy, or one that lacks adapters or similarities.
    """
    if select is None:
        conditions = [Condition(make_policy(name)) for name in POLICIES]
        met = _met_requirements(bank)
        return [
            condition
            for condition in conditions
            if requirements_of(condition.policy) <= met
            and (similarity or not condition.needs_similarity)
            and (bank.keys or not condition.policy.contrasts)
        ]
    conditions = [Condition(make_policy(name)) for name in dict.fromkeys(select)]
    for condition in conditions:
        if "adapters" in requirements_of(condition.policy) and not bank.keys:
            raise InputError(f"--select {condition.name}: needs adapters; give --adapters BANK, or --select base alone")
        if condition.needs_similarity and not similarity:
            raise InputError(
                f"--select {condition.name}: compares the embeddings of outputs with the query; remove --no-similarity"
            )
    return conditions


def _met_requirements(bank: AdapterBank) -> set[str]:
    """The requirements that a bank meets in an evaluation, where there is always a reference."""
    met = {"outputs", "reference"}
    if bank.keys:
        met.add("adapters")
    if bank.domains:
        met.add("domains")
    if all(METHODS[info.method].linear for info in bank.infos.values()):
        met.add("linear")
    return met
