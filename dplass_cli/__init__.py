"""dplass: language-queried audio source separation by domain partitioning and parameter-efficient fine-tuning."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dplass_cli.versions import __version__

if TYPE_CHECKING:
    from dplass_cli.encoders import load_encoder
    from dplass_cli.models import load_base
    from dplass_cli.separation.bank import AdapterBank
    from dplass_cli.separation.separator import Separator

__all__ = ["AdapterBank", "Separator", "__version__", "load_base", "load_encoder"]

# The public names are imported when they are used: the command line must start without torch.
_HOMES = {
    "AdapterBank": "dplass_cli.separation.bank",
    "Separator": "dplass_cli.separation.separator",
    "load_base": "dplass_cli.models",
    "load_encoder": "dplass_cli.encoders",
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dplass_cli' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
