"""Estimates that one pass over a recording keeps for the next, so that the network runs on each window once."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from dplass_cli.storage import make_folder

IN_MEMORY = 64 << 20
"""Bytes of estimates that are kept in memory: eight minutes of one mono target at 32 kHz."""


class KeptEstimates:
    """The estimates of a recording's windows, in the order of the windows; a context that frees them.

    Those of long recordings are written to a temporary file, which has no name on POSIX, so that a killed process
    leaves nothing. If the file cannot be written, its windows are not kept, and the next pass computes them again.

    Args:
        folder: of the temporary file; None: everything is kept in memory.
        in_memory: bytes that are kept in memory.
    """

    def __init__(self, folder: Path | None = None, in_memory: int = IN_MEMORY) -> None:
        self._folder, self._free = folder, in_memory
        self._tensors: list[Tensor] = []
        self._shapes: list[torch.Size] = []
        self._file: IO[bytes] | None = None
        self._disk_failed = False

    def __enter__(self) -> KeptEstimates:
        return self

    def __exit__(self, *exc: object) -> None:
        self._tensors = []
        self._close_file()

    def _close_file(self) -> None:
        self._shapes = []
        if self._file is not None:
            with contextlib.suppress(OSError):  # what could not be written cannot be flushed either
                self._file.close()
            self._file = None

    def add(self, estimates: Tensor) -> None:
        """Keep the estimates of the next window, float32 on the CPU."""
        self._free -= estimates.nbytes
        if self._folder is None or self._free >= 0:
            self._tensors.append(estimates)
        elif not self._disk_failed:
            try:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(dir=make_folder(self._folder))  # noqa: SIM115 (see __exit__)
                self._file.write(estimates.contiguous().numpy().data)
                self._file.flush()  # the disk may be full
                self._shapes.append(estimates.shape)
            except OSError:
                self._disk_failed = True
                self._close_file()  # the outputs need the space

    def read(self) -> Iterator[Tensor | None]:
        """The estimates of each window from the first on, and None for every window whose estimates are not kept."""
        yield from self._tensors
        if self._file is not None:
            self._file.seek(0)
            for shape in self._shapes:
                yield torch.frombuffer(bytearray(self._file.read(4 * shape.numel())), dtype=torch.float32).view(shape)
        while True:
            yield None
