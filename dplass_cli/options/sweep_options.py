"""Options of ``sweep``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; whole ones if both are. ``log`` draws them evenly over orders of magnitude."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be positive where log is true, not {self.low}")

    @property
    def whole(self) -> bool:
        """Whether it is of whole numbers."""
        return self.low.is_integer() and self.high.is_integer() and not self.log

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and largest number, whole if all are."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


@dataclass(frozen=True)
class SweepSettings:
    """The section ``sweep`` of a configuration.

    Attributes:
        parameters: {key.path of a training option: a list of choices, or low, high and log of a range}.
        trials: trainings in all; each begins with settings that the earlier ones speak for (TPE).
        prune: end a training early whose validation SDRi is below the median of the earlier ones at its epoch.
        seed: of the choices.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    trials: int = 20
    prune: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, not {self.trials}")


@dataclass(frozen=True)
class SweepOptions:
    """Options of ``sweep``.

    Attributes:
        config: a configuration of ``train`` with a section ``sweep``.
        workspace: folder of a sub-folder a training, ``sweep.journal`` (what the search knows) and ``sweep.json``.
        settings: training options as ``key.path=value``, over those of ``config``.
        train: training options by key, over both.
        trials: trainings of the search in all; default what the configuration says.
        seeds: train the best settings (without ranges, the configuration) with so many seeds.
    """

    config: Path
    workspace: Path
    settings: tuple[str, ...] = ()
    train: dict[str, Any] = field(default_factory=dict)
    trials: int | None = None
    seeds: int = 0

    def __post_init__(self) -> None:
        if self.seeds < 0 or self.seeds == 1:
            raise ValueError(f"--seeds must be at least 2 to tell a deviation, or 0 for none, not {self.seeds}")
        if self.trials is not None and self.trials < 1:
            raise ValueError(f"--trials must be at least 1, not {self.trials}")
