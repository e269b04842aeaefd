"""Long audio in windows with real context on both sides; what the context yields is thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Window:
    """Samples [start, stop) go in; of the output, [first, last) of the whole audio is kept."""

    start: int
    stop: int
    first: int
    last: int


def windows(length: int, core: int, context: int) -> Iterator[Window]:
    """Cover ``length`` samples by cores of ``core`` samples with up to ``context`` samples around each.

    Short audio (no longer than a core and its contexts) is one window.
    """
    if length <= core + 2 * context:
        yield Window(0, length, 0, length)
        return
    for first in range(0, length, core):
        last = min(length, first + core)
        yield Window(max(0, first - context), min(length, last + context), first, last)


def run_windowed(run: Callable[[Tensor], Tensor], audio: Tensor, core: int, context: int, shortest: int) -> Tensor:
    """Apply ``run`` to audio (C, T) window by window.

    Args:
        run: maps float32 (C, n) to (Q, C, n), for any n >= ``shortest``.
        audio: float32 (C, T), T >= 1.
        core, context: in samples; multiples of the network's grid keep its cells where they are in the whole.
        shortest: the fewest samples that ``run`` takes; shorter audio is padded with zeros for it.

    Returns:
        float32 (Q, C, T).
    """
    kept = []
    for window in windows(audio.shape[-1], core, context):
        part = audio[:, window.start : window.stop]
        output = run(F.pad(part, (0, max(0, shortest - part.shape[-1]))))
        kept.append(output[..., window.first - window.start : window.last - window.start])
    return torch.cat(kept, dim=-1)
