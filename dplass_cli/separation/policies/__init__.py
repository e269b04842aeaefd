"""Selection policies: which adapter serves a query. One file each; this is their table."""

from __future__ import annotations

from collections.abc import Callable

from dplass_cli.errors import InputError, nearest
from dplass_cli.separation.policies.audio import Audio
from dplass_cli.separation.policies.base import Choice, Policy
from dplass_cli.separation.policies.blend import Blend
from dplass_cli.separation.policies.contrast import Contrast
from dplass_cli.separation.policies.oracle import Oracle
from dplass_cli.separation.policies.proven import Proven
from dplass_cli.separation.policies.single import Single
from dplass_cli.separation.policies.text import Text
from dplass_cli.separation.policies.text_knn import TextNeighbours
from dplass_cli.separation.policies.texts import DomainTexts
from dplass_cli.separation.policies.unadapted import Unadapted

__all__ = ["POLICIES", "Choice", "DomainTexts", "Policy", "make_policy"]

POLICIES: dict[str, Callable[[], Policy]] = {
    "base": Unadapted,
    "text": Text,
    "text-knn": TextNeighbours,
    "proven": Proven,
    "audio": Audio,
    "blend": Blend,
    "contrast": Contrast,
    "oracle": Oracle,
}
_WITH_ARGUMENT: dict[str, Callable[[str], Policy]] = {
    "single": Single,
    "text-knn": TextNeighbours,
    "contrast": lambda inner: Contrast(make_policy(inner)),
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
