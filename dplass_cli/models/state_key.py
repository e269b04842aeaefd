"""Telling the states of a network apart, which adapters replace between passes, without reading them every time."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from torch import Tensor

Key = tuple[int, ...]


class StateKey:
    """Makes keys of states: the same for the same values.

    The values of a tensor are read again only if it was replaced or changed in place. A checksum stands for them, so
    states have the same key by chance with a probability of 2⁻³² per tensor in which they differ.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Tensor, int, int]] = {}

    def __call__(self, state: Mapping[str, Tensor]) -> Key:
        """The key of a state, {name: tensor on the CPU}, whose names are the same in every call."""
        for name, tensor in state.items():
            if not self._is_seen(name, tensor):
                values = tensor.detach()  # kept, so that no other tensor can have its address
                self._seen[name] = values, tensor._version, zlib.crc32(values.contiguous().numpy().data)
        return tuple(self._seen[name][2] for name in state)

    def _is_seen(self, name: str, tensor: Tensor) -> bool:
        if name not in self._seen:
            return False
        old, version, _ = self._seen[name]
        return old.data_ptr() == tensor.data_ptr() and version == tensor._version
