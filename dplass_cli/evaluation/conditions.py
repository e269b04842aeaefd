"""Conditions of an evaluation: a selection policy, with or without refinement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dplass_cli.errors import InputError
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.policies import (
    POLICIES,
    Policy,
    Selection,
    chooses_by_query,
    default_selection,
    make_policy,
    parse_selection,
    require,
    unmet_requirement,
)

BASE = "base"
"""The name of the run without adapters."""


@dataclass(frozen=True)
class Condition:
    """One row of an evaluation's table.

    Attributes:
        policy: chooses the adapter that serves an item.
        refine: refine the target by its residual.
    """

    policy: Policy
    refine: bool = False

    @property
    def name(self) -> str:
        """``text``, or ``text+residual`` with refinement."""
        return Selection(self.policy.name, "residual" if self.refine else "none").name

    @property
    def bound(self) -> bool:
        """Whether it looks at the reference: an upper bound, not a method."""
        return "reference" in self.policy.requires

    @property
    def chooses_by_query(self) -> bool:
        """Whether it chooses before anything is separated; otherwise every adapter has to run."""
        return chooses_by_query(self.policy)

    @property
    def needs_similarity(self) -> bool:
        """Whether it chooses by the similarity of outputs to the query."""
        return "outputs" in self.policy.requires and not self.bound

    def run_name(self, activation: Activation) -> str:
        """The name of the run that serves an activation: the base, an adapter, or a run of this condition alone."""
        if self.refine:
            return self.name
        if activation is None:
            return BASE
        return activation if isinstance(activation, str) else self.policy.name


def default_name(bank: AdapterBank) -> str | None:
    """The condition that ``separate`` uses by default with these models; None if it requires a choice."""
    try:
        return default_selection(bank.network.source, bank).name
    except InputError:
        return None


def make_conditions(
    select: Sequence[str] | None, bank: AdapterBank, similarity: bool = True, refine: str | None = None
) -> list[Condition]:
    """The conditions of an evaluation.

    Args:
        select: names of policies, such as ``text`` or ``text+residual``; None: every policy that the bank can serve.
        refine: ``none``, ``residual`` or ``both`` for each policy that can be refined; None: as ``select`` says, and
            without ``select`` one policy with refinement, and the default of ``separate``, in addition.

    Raises:
        InputError: an unknown policy, or one that lacks what it requires.
    """
    if select is not None:
        chosen = [parse_selection(name, bank) for name in select]
    else:
        policies = [make() for make in POLICIES.values()]
        chosen = [Selection(policy.name) for policy in policies if unmet_requirement(policy, bank) is None]
        if refine is None and bank.keys:
            chosen.append(Selection("validated" if bank.domains else BASE, "residual"))
        if refine is None and (default := default_name(bank)) is not None:
            chosen.append(parse_selection(default, bank))
    conditions = [condition for selection in chosen for condition in _with_refinement(selection, refine)]
    for condition in conditions:
        require(condition.policy, bank)
        if select is not None and condition.needs_similarity and not similarity:
            raise InputError(f"--select {condition.name}: needs the outputs' embeddings; remove --no-similarity")
    usable = [condition for condition in conditions if similarity or not condition.needs_similarity]
    distinct = {condition.name: condition for condition in usable}.values()
    return sorted(distinct, key=lambda condition: select is None and condition.bound)


def _with_refinement(selection: Selection, refine: str | None) -> list[Condition]:
    policy = make_policy(selection.policy)
    wanted = refine or selection.refine or "none"
    if not chooses_by_query(policy):
        wanted = "none"
    return [Condition(policy, how == "residual") for how in ("none", "residual") if wanted in (how, "both")]
