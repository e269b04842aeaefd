"""Adapters: cheap, removable changes of a frozen network's weights."""

from dplass_cli.adapters.base import Adapter, AdapterSettings
from dplass_cli.adapters.injection import METHODS, eject, inject, make_adapters, targets

__all__ = ["METHODS", "Adapter", "AdapterSettings", "eject", "inject", "make_adapters", "targets"]
