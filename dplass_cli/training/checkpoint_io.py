"""Writing checkpoints atomically."""

from __future__ import annotations

import io
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from dplass_cli.storage import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Flushes a checkpoint under a temporary name and renames it: a full disk or a kill leaves the previous one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            RunError: the disk is full or failed.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())
