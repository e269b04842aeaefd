"""Rules of choosing that were tried and lost in cross-validation: one file each, and their table.

They look at what all adapters make of mixtures, as no policy of the package has to.
"""

from __future__ import annotations

from collections.abc import Callable

from tiny_models.rules.agreement import by_agreement
from tiny_models.rules.base import IntArray, Tried
from tiny_models.rules.likeness import by_likeness
from tiny_models.rules.residual import by_residual
from tiny_models.rules.router import by_router

__all__ = ["RULES", "IntArray", "Tried"]

RULES: dict[str, Callable[[Tried], IntArray]] = {
    "likeness": by_likeness,
    "agreement": by_agreement,
    "residual": by_residual,
    "router": by_router,
}
"""{name: {adapters' outputs on N mixtures: the column that it picks of each, int64 (N,)}}."""
