"""Ways of choosing that are tried in cross-validation and are no policies of the package: one file each, and a table.

Those of the table look at what all adapters make of mixtures, as no policy of the package has to.
"""

from __future__ import annotations

from collections.abc import Callable

from tiny_models.rules.agreement import by_agreement
from tiny_models.rules.base import IntArray, Tried
from tiny_models.rules.likeness import by_likeness
from tiny_models.rules.proven import by_proof
from tiny_models.rules.residual import by_residual
from tiny_models.rules.router import by_router
from tiny_models.rules.strength import Partly, Together

__all__ = ["RULES", "IntArray", "Partly", "Together", "Tried"]

RULES: dict[str, Callable[[Tried], IntArray]] = {
    "likeness": by_likeness,
    "agreement": by_agreement,
    "residual": by_residual,
    "router": by_router,
    "proven, on other clips": by_proof,
}
"""{name: {adapters' outputs on N mixtures: the column that it picks of each, int64 (N,)}}."""
