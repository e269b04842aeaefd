"""Selection policies: which adapter serves a query; their table and names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dplass_cli.adapters import METHODS
from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.model_options import Refinement
from dplass_cli.resources import BUNDLED_MODELS
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies.base import Choice, DomainTexts, Policy, Requirement, chooses_by_query
from dplass_cli.separation.policies.built_in import (
    AudioPolicy,
    BasePolicy,
    BlendPolicy,
    OraclePolicy,
    SinglePolicy,
    TextKnnPolicy,
    TextPolicy,
    ValidatedPolicy,
)

__all__ = [
    "POLICIES",
    "Choice",
    "DomainTexts",
    "Policy",
    "Requirement",
    "Selection",
    "chooses_by_query",
    "default_selection",
    "make_policy",
    "parse_selection",
    "require",
    "unmet_requirement",
]

POLICIES: dict[str, Callable[[], Policy]] = {
    "base": BasePolicy,
    "text": TextPolicy,
    "text-knn": TextKnnPolicy,
    "validated": ValidatedPolicy,
    "audio": AudioPolicy,
    "blend": BlendPolicy,
    "oracle": OraclePolicy,
}
_WITH_ARGUMENT: dict[str, Callable[[str], Policy]] = {"single": SinglePolicy, "text-knn": TextKnnPolicy}

# Version 0.1 called it ``proven``, and had refinement as a policy, ``contrast`` or ``contrast:POLICY``.
_OLD_NAMES = {"proven": "validated"}
_OLD_REFINED = "contrast"


class Selection(NamedTuple):
    """A policy's name and the refinement that goes with it; ``refine`` is None where it was not named."""

    policy: str
    refine: Refinement | None = None

    @property
    def name(self) -> str:
        """As evaluations list it: ``text`` or ``text+residual``."""
        return f"{self.policy}+{self.refine}" if self.refine == "residual" else self.policy


def make_policy(name: str) -> Policy:
    """Make a policy by its name: a row of :data:`POLICIES`, ``text-knn:N`` or ``single:K``; InputError if unknown."""
    name = _OLD_NAMES.get(name, name)
    kind, _, argument = name.partition(":")
    if argument and kind in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[kind](argument)
    if name not in POLICIES:
        check_choice("--select", name, [*POLICIES, "single:k"])
    return POLICIES[name]()


def parse_selection(name: str, bank: AdapterBank) -> Selection:
    """Parse ``text``, ``text+residual``, or version 0.1's ``contrast:text``; InputError if the policy is unknown."""
    policy, refined, suffix = name.partition("+")
    if refined and suffix != "residual":
        raise InputError(f"--select {name}: expected POLICY or POLICY+residual, such as {policy or 'text'}+residual")
    kind, _, inner = policy.partition(":")
    refine: Refinement | None = "residual" if refined else None
    if kind == _OLD_REFINED:
        policy, refine = inner or ("validated" if bank.domains else "base"), "residual"
    made = make_policy(policy)
    if refine == "residual" and not chooses_by_query(made):
        raise InputError(
            f"--select {name}: only policies that choose by the query can be refined, such as text+residual"
        )
    return Selection(made.name, refine)


def default_selection(base: str | Path, bank: AdapterBank) -> Selection:
    """The policy and the refinement that measurements support (``docs/tiny.md``, ``docs/choosing.md``).

    With a bundled base: ``validated``, or ``text-knn`` where no gain was measured (as in a bank that ``train`` wrote),
    with refinement. With other bases: ``text``, without refinement. Without adapters: ``base``, without refinement. One
    adapter without a domain serves every query.

    Raises:
        InputError: there are several adapters and none has a domain.
    """
    refine: Refinement = "residual" if base in BUNDLED_MODELS else "none"
    if not bank.keys:
        return Selection("base", "none")
    if bank.domains:
        measured = any(domain.sdri_gain_db for domain in bank.domains.values())
        if base not in BUNDLED_MODELS:
            return Selection("text", refine)
        return Selection("validated" if measured else "text-knn", refine)
    if len(bank.keys) > 1:
        raise InputError(
            f"--adapters: the {len(bank.keys)} adapters have no domains, so queries cannot choose among them; use"
            f" --select single:{bank.keys[0]}, or a bank ('dplass adapters import --partition')"
        )
    return Selection(f"single:{bank.keys[0]}", refine)


def unmet_requirement(policy: Policy, bank: AdapterBank) -> str | None:
    """Why a bank cannot serve a policy; None if it can. Whether there is a reference is not judged."""
    if "domains" in policy.requires and not bank.domains:
        return "needs a bank of adapters with domains; give --adapters BANK or --select base"
    if "adapters" in policy.requires and not bank.keys:
        return "needs adapters; give --adapters BANK or --select base"
    if "linear" in policy.requires:
        branches = [key for key, info in bank.infos.items() if not METHODS[info.method].linear]
        if branches:
            method = bank.infos[branches[0]].method
            return f"adapter {branches[0]!r} ({method}) is not a weight delta and cannot be blended; use --select text"
    return None


def require(policy: Policy, bank: AdapterBank) -> None:
    """Raise InputError if a bank cannot serve a policy."""
    reason = unmet_requirement(policy, bank)
    if reason is not None:
        raise InputError(f"--select {policy.name}: {reason}")
