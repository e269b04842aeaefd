"""Adapters: cheap, removable changes of a frozen network's layers."""

from dplass_cli.adapters.base import Adapter, AdapterSettings, LayerSettings
from dplass_cli.adapters.injection import METHODS, adapted, make_adapters
from dplass_cli.adapters.targets import targets

__all__ = ["METHODS", "Adapter", "AdapterSettings", "LayerSettings", "adapted", "make_adapters", "targets"]
