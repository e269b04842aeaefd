"""Selection policies: which adapter serves a query. One file each; this is their table."""

from __future__ import annotations

from dplass_cli.errors import InputError, nearest
from dplass_cli.separation.policies.base import Choice, Policy
from dplass_cli.separation.policies.oracle import Oracle
from dplass_cli.separation.policies.single import Single
from dplass_cli.separation.policies.text import Text
from dplass_cli.separation.policies.unadapted import Unadapted

__all__ = ["Choice", "Policy", "make_policy"]

_POLICIES: dict[str, type[Policy]] = {"base": Unadapted, "text": Text, "oracle": Oracle}


def make_policy(name: str) -> Policy:
    """Make the policy of a name: ``base``, ``text``, ``oracle`` or ``single:k``.

    Raises:
        InputError: no such policy.
    """
    kind, _, which = name.partition(":")
    if kind == "single" and which:
        return Single(which)
    if name not in _POLICIES:
        raise InputError(f"--select {name}: no such policy{nearest(name, [*_POLICIES, 'single:k'])}")
    return _POLICIES[name]()
