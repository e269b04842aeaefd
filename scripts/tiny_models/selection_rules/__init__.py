"""Selection rules that were tried in cross-validation and did not become policies: one file each, and a table.

The rules of the table compare the outputs of all adapters and the base.
"""

from __future__ import annotations

from collections.abc import Callable

from tiny_models.selection_rules.agreement import by_agreement
from tiny_models.selection_rules.base import AdapterOutputs, IntArray
from tiny_models.selection_rules.fitted_blend import cross_fitted
from tiny_models.selection_rules.kind_gains import by_kind_gains
from tiny_models.selection_rules.residual import by_residual
from tiny_models.selection_rules.router import by_router
from tiny_models.selection_rules.same_target import by_same_target
from tiny_models.selection_rules.selector import by_selector
from tiny_models.selection_rules.similarity import by_similarity
from tiny_models.selection_rules.strength import AllAdapters, ScaledAdapter
from tiny_models.selection_rules.validated import by_validation

__all__ = ["RULES", "AdapterOutputs", "AllAdapters", "IntArray", "ScaledAdapter", "cross_fitted"]

RULES: dict[str, Callable[[AdapterOutputs], IntArray]] = {
    "similarity": by_similarity,
    "agreement": by_agreement,
    "residual": by_residual,
    "router": by_router,
    "selector": by_selector,
    "validated, on other clips": by_validation,
    "gains of the kind, on other clips": by_kind_gains,
    "best with the same target (uses the reference)": by_same_target,
}
"""{name: rule}; a rule returns the column that it picks for each of N mixtures, int64 (N,)."""
