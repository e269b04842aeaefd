"""Blend all adapters with fitted weights: a query's domains decide how much of every adapter is added to the base."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.model_selection import GroupKFold
from torch import Tensor

from dplass_cli.separation.policies import Choice, Requirement
from tiny_models.selection_rules.base import BASE, TARGET, AdapterOutputs

SPLITS = 5
PENALTY = 0.02


Quadratic = tuple[Tensor, Tensor, Tensor]


class FittedBlend:
    """W + Σ wₖ·Δₖ, with the weights of the query's domains by their probabilities.

    Args:
        weights: (K, K), a row per domain.
    """

    name = "fitted blend"
    requires: frozenset[Requirement] = frozenset({"domains", "linear"})

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights

    def choose(self, choice: Choice) -> dict[str, float]:
        """Return the weights of all adapters."""
        chances = torch.tensor(list(choice.texts.probabilities(choice.query).values()), dtype=torch.float64)
        return dict(zip(choice.texts.keys, (chances @ self._weights).tolist(), strict=True))


def fit_weights(quadratic: Quadratic, probabilities: Tensor, penalty: float = PENALTY) -> Tensor:
    """Fit weights (K, K), one row per domain of the query: the largest mean SDR on N mixtures.

    Args:
        quadratic: :func:`residual_energies` of the mixtures.
        probabilities: the query's probability of each domain, (N, K).
        penalty: how much distance from ``blend``'s weights costs.

    Outputs are taken to be linear in the weights, which small weight deltas nearly are. The penalty is on the squared
    distance from ``blend``'s weights, which are 1 for the domain's own adapter.
    """
    gram, slope, energy = quadratic
    probabilities = probabilities.double()
    identity = torch.eye(probabilities.shape[1], dtype=torch.float64)
    weights = identity.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        shares = probabilities @ weights
        residual = energy - 2 * (shares * slope).sum(dim=1) + torch.einsum("nk,nkl,nl->n", shares, gram, shares)
        value = residual.clamp(min=1e-9 * energy).log10().mean() + penalty * (weights - identity).square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()


def cross_fitted(outputs: AdapterOutputs, penalty: float = PENALTY) -> list[FittedBlend]:
    """The policy of each mixture, fitted on the mixtures of other target clips (five-fold cross-fitting)."""
    gram, slope, energy = residual_energies(outputs)
    policies: dict[int, FittedBlend] = {}
    for fitted, chosen in GroupKFold(SPLITS).split(np.zeros(len(outputs.clips)), groups=outputs.clips):
        part = gram[fitted], slope[fitted], energy[fitted]
        policy = FittedBlend(fit_weights(part, outputs.probabilities[fitted], penalty))
        policies |= dict.fromkeys(chosen.tolist(), policy)
    return [policies[row] for row in range(len(outputs.clips))]


def residual_energies(outputs: AdapterOutputs) -> Quadratic:
    """Residual energy of base + Σ wₖ·(outputₖ − base) as e − 2·b·w + w·G·w: G (N, K, K), b (N, K), e (N,), float64."""
    from_base = torch.eye(outputs.products.shape[1], dtype=torch.float64)
    from_base[:, BASE] -= 1.0  # rows: a waveform minus the base's output
    relative = from_base @ outputs.products @ from_base.T
    adapters = slice(BASE + 1, None)
    return relative[:, adapters, adapters], relative[:, adapters, TARGET], relative[:, TARGET, TARGET]
