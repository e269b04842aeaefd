"""An exponential moving average of weights during training, which often generalises better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """The average of what training changes in a module: its trained parameters and floating-point buffers.

    Its tensors are buffers, so that checkpoints contain them and a resumed training continues with them.

    Args:
        module: what is trained; it is not part of this one.
        decay: weight of the average in each update, 0 to 1; the first update copies the weights.

    Attributes:
        updates: int64, the number of updates.
    """

    updates: Tensor

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        self._followed, self._decay = (module,), decay  # in a tuple, so that it is not registered as a part
        self._parameters_followed = [name for name, each in module.named_parameters() if each.requires_grad]
        self._buffers_followed = [name for name, each in module.named_buffers() if each.is_floating_point()]
        for name, tensor in self._tensors().items():
            self.register_buffer(name, tensor.detach().clone())
        self.register_buffer("updates", torch.tensor(0))

    def _tensors(self) -> dict[str, Tensor]:
        """{name of a buffer of this module: the tensor whose average it is}."""
        (module,) = self._followed
        found: dict[str, Tensor] = {name: module.get_parameter(name) for name in self._parameters_followed}
        found |= {name: module.get_buffer(name) for name in self._buffers_followed}
        return {name.replace(".", "/"): tensor for name, tensor in found.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Count the current weights in."""
        share = 1.0 - self._decay if self.updates else 1.0
        for name, tensor in self._tensors().items():
            self.get_buffer(name).lerp_(tensor, share)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The module has the averaged weights inside the block, and its own again after it."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, tensor in self._tensors().items():
            average = self.get_buffer(name)
            own = tensor.clone()
            tensor.copy_(average)
            average.copy_(own)
