"""Lightning's classes that training extends.

Lightning is an extra. Without it these names are ``object``, so that every module of the package can be imported;
``train`` and ``sweep`` refuse to start.
"""

from __future__ import annotations

try:
    from lightning.pytorch import LightningModule as LightningModule
    from lightning.pytorch.callbacks import Callback as Callback
    from lightning.pytorch.callbacks import Checkpoint as Checkpoint
    from lightning.pytorch.callbacks import EarlyStopping as EarlyStopping
    from lightning.pytorch.plugins.io import TorchCheckpointIO as TorchCheckpointIO
except ImportError:
    _NAMES = ("LightningModule", "Callback", "Checkpoint", "EarlyStopping", "TorchCheckpointIO")
    globals().update(dict.fromkeys(_NAMES, object))
