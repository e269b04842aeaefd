"""Selection rules that are fitted on the adapters' outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tiny_models.selection_rules import RULES, AdapterOutputs
from tiny_models.selection_rules.base import products
from tiny_models.selection_rules.fitted_blend import cross_fitted, fit_weights, residual_energies
from tiny_models.selection_rules.kind_gains import by_kind_gains
from tiny_models.selection_rules.same_target import by_same_target
from tiny_models.selection_rules.selector import by_selector

WEIGHTS = torch.tensor([[0.5, 0.0], [0.0, 1.5]])


def outputs(count: int = 40) -> AdapterOutputs:
    """Mixtures of two domains whose targets are the base's output and WEIGHTS of the adapters' changes, and noise."""
    generator = torch.Generator().manual_seed(0)
    domain = torch.arange(count) % 2
    base, change = (torch.randn(count, n, 200, generator=generator) for n in (1, 2))
    targets = base[:, 0] + (WEIGHTS[domain][..., None] * change).sum(dim=1)
    targets = targets + 0.05 * torch.randn(count, 200, generator=generator)
    gains = np.zeros((count, 3))
    gains[np.arange(count), 1 + domain.numpy()] = 1.0
    kinds = [f"kind {number}" for number in domain.tolist()]
    return AdapterOutputs(
        queries=torch.eye(2)[domain],
        probabilities=torch.eye(2)[domain],
        products=products(targets, targets, torch.cat((base, base + change), dim=1)),
        mixture_embeddings=torch.eye(2)[domain],
        output_embeddings=torch.zeros(count, 3, 2),
        residual_embeddings=torch.zeros(count, 3, 2),
        sdri=gains,
        clips=[f"clip {number // 4}.{number % 2}" for number in range(count)],
        kinds=kinds,
        by_text=1 + domain.numpy(),
    )


def test_fitted_weights_are_those_that_made_the_targets() -> None:
    given = outputs()
    fitted = fit_weights(residual_energies(given), given.probabilities, penalty=1e-4)
    torch.testing.assert_close(fitted.float(), WEIGHTS, atol=0.05, rtol=0)


def test_a_large_penalty_keeps_the_domains_own_adapter() -> None:
    given = outputs()
    fitted = fit_weights(residual_energies(given), given.probabilities, penalty=1e4)
    torch.testing.assert_close(fitted.float(), torch.eye(2), atol=0.01, rtol=0)


def test_every_mixture_has_a_policy_fitted_on_other_clips() -> None:
    policies = cross_fitted(outputs())
    assert len(policies) == 40
    assert len(set(map(id, policies))) == 5
    assert policies[0] is policies[2]  # of one clip


def test_gains_of_other_clips_find_the_adapter() -> None:
    given = outputs()
    assert by_kind_gains(given).tolist() == given.by_text.tolist()
    assert by_same_target(given).tolist() == given.by_text.tolist()


def test_the_selector_learns_from_other_clips_which_adapter_gains() -> None:
    given = outputs(count=200)
    assert by_selector(given).tolist() == given.by_text.tolist()
    nothing_gains = replace(given, sdri=-given.sdri)
    assert by_selector(nothing_gains).max() == 0


def test_rules_compare_waveforms_by_their_products() -> None:
    given = outputs(count=3)
    target, near, far = torch.ones(3, 1, 4), torch.full((3, 1, 4), 0.9), torch.full((3, 1, 4), -1.0)
    made = replace(given, products=products(target[:, 0], 2 * target[:, 0], torch.cat((far, near, target), dim=1)))
    assert RULES["agreement"](made).tolist() == [1, 1, 1]
    assert RULES["residual"](made).tolist() == [2, 2, 2]
    torch.testing.assert_close(made.distances(0)[0], torch.tensor([16.0, 0.04, 0.0]).double(), atol=1e-5, rtol=0)
