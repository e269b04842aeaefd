"""Validation where ``max_steps`` ends a run within an epoch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dplass_cli.training.callbacks.final_validation import FinalValidation


@pytest.mark.parametrize(("step", "max_steps", "stops"), [(4, 5, False), (5, 5, True), (9, -1, False)])
def test_the_last_step_requests_a_stop(step: int, max_steps: int, stops: bool) -> None:
    loop = SimpleNamespace(min_epochs=3)
    trainer: Any = SimpleNamespace(max_steps=max_steps, global_step=step, should_stop=False, fit_loop=loop)
    FinalValidation().on_train_batch_end(trainer, None, None, None, 0)
    assert trainer.should_stop is stops
    assert loop.min_epochs == (0 if stops else 3)
