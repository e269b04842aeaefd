"""Selection policies: which adapter serves a query. One file each; this is their table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dplass_cli.errors import InputError, nearest
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies.audio import AudioPolicy
from dplass_cli.separation.policies.base import Choice, Policy
from dplass_cli.separation.policies.blend import BlendPolicy
from dplass_cli.separation.policies.contrast import ContrastPolicy
from dplass_cli.separation.policies.domain_texts import DomainTexts
from dplass_cli.separation.policies.oracle import OraclePolicy
from dplass_cli.separation.policies.single import SinglePolicy
from dplass_cli.separation.policies.text import TextPolicy
from dplass_cli.separation.policies.text_knn import TextKnnPolicy
from dplass_cli.separation.policies.unadapted import BasePolicy
from dplass_cli.separation.policies.validated import ValidatedPolicy

__all__ = ["POLICIES", "Choice", "DomainTexts", "Policy", "default_policy", "make_policy"]

POLICIES: dict[str, Callable[[], Policy]] = {
    "base": BasePolicy,
    "text": TextPolicy,
    "text-knn": TextKnnPolicy,
    "proven": ValidatedPolicy,
    "audio": AudioPolicy,
    "blend": BlendPolicy,
    "contrast": ContrastPolicy,
    "oracle": OraclePolicy,
}
_WITH_ARGUMENT: dict[str, Callable[[str], Policy]] = {
    "single": SinglePolicy,
    "text-knn": TextKnnPolicy,
    "contrast": lambda inner: ContrastPolicy(make_policy(inner)),
}


def make_policy(name: str) -> Policy:
    """Make the policy of a name: ``base``, ``text``, ``text-knn[:n]``, ``proven``, ``audio``, ``blend``, ``oracle``,
    ``single:k``, ``contrast[:policy]``.

    Raises:
        InputError: no such policy.
    """
    kind, _, argument = name.partition(":")
    if argument and kind in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[kind](argument)
    if name not in POLICIES:
        raise InputError(f"--select {name}: no such policy{nearest(name, [*POLICIES, 'single:k'])}")
    return POLICIES[name]()


def default_policy(base: str | Path, bank: AdapterBank) -> str:
    """The policy for which figures speak (``docs/tiny.md``, ``docs/choosing.md``).

    With the tiny base ``contrast``, which takes adapters whose gain was measured to be one; ``contrast:text`` where
    none was measured, as in a bank that ``train`` wrote. With another base ``text``, or ``base`` without adapters. An
    adapter without a domain serves every query.

    Raises:
        InputError: there are several adapters, and none has a domain.
    """
    if any(domain.gain_db for domain in bank.domains.values()):
        return "contrast" if base == "tiny" else "text"
    if not bank.keys:
        return "contrast" if base == "tiny" else "base"
    if not bank.domains and len(bank.keys) > 1:
        raise InputError(
            f"{len(bank.keys)} adapters without domains, so that no query can choose among them: give --select"
            f" single:{bank.keys[0]}, or a bank ('dplass adapters import --partition')"
        )
    policy = "text" if bank.domains else f"single:{bank.keys[0]}"
    return f"contrast:{policy}" if base == "tiny" else policy
