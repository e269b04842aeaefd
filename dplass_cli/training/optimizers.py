"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer

from dplass_cli.errors import check_choice
from dplass_cli.options.train_settings import OptimizerSettings

OPTIMIZERS: dict[str, Callable[[Iterable[Parameter], OptimizerSettings], Optimizer]] = {
    "AdamW": lambda p, s: AdamW(p, s.learning_rate, weight_decay=s.weight_decay, amsgrad=s.amsgrad),
    "Adam": lambda p, s: Adam(p, s.learning_rate, weight_decay=s.weight_decay, amsgrad=s.amsgrad),
    "SGD": lambda p, s: SGD(p, s.learning_rate, momentum=s.momentum, weight_decay=s.weight_decay),
}

PLATEAU = "plateau"
"""The schedule that depends on validation; the others are in :data:`SCHEDULES`."""


def constant(step: int, settings: OptimizerSettings, total: int) -> float:
    """A constant rate, after an optional linear warm-up."""
    return min(1.0, (step + 1) / max(1, settings.warm_up_steps))


def cosine(step: int, settings: OptimizerSettings, total: int) -> float:
    """A linear warm-up, then half a cosine down to 0 at the last step."""
    past = step - settings.warm_up_steps
    if past < 0:
        return constant(step, settings, total)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, past / max(1, total - settings.warm_up_steps))))


def linear_warm_up(step: int, settings: OptimizerSettings, total: int) -> float:
    """AudioSep's schedule: linear over ``warm_up_steps``, then times 0.9 every ``reduce_lr_steps``."""
    if step <= settings.warm_up_steps:
        return step / max(1, settings.warm_up_steps)
    return float(0.9 ** (step // settings.reduce_lr_steps))


def constant_warm_up(step: int, settings: OptimizerSettings, total: int) -> float:
    """AudioSep's schedule: 0.001, 0.01 and 0.1 of the rate for ``warm_up_steps`` each, then the full rate."""
    done = step // settings.warm_up_steps if settings.warm_up_steps else 3
    return (0.001, 0.01, 0.1, 1.0)[min(3, done)]


SCHEDULES: dict[str, Callable[[int, OptimizerSettings, int], float]] = {
    "constant": constant,
    "cosine": cosine,
    "linear_warm_up": linear_warm_up,
    "constant_warm_up": constant_warm_up,
}
"""{name: (step, settings, total steps) -> factor of the learning rate}."""


def check_names(settings: OptimizerSettings) -> None:
    """Refuse unknown names of optimiser and schedule, with the nearest known one as a suggestion."""
    names = {"optimizer_type": [*OPTIMIZERS], "schedule": [PLATEAU, *SCHEDULES]}
    for key, known in names.items():
        check_choice(f"train.optimizer.{key}", getattr(settings, key), known)
