"""Adapters: small, removable changes of a frozen network's layers."""

from dplass_cli.adapters.base import Adapter, LayerSettings
from dplass_cli.adapters.injection import METHODS, adapted, make_adapters
from dplass_cli.adapters.layers import adaptable_layers

__all__ = ["METHODS", "Adapter", "LayerSettings", "adaptable_layers", "adapted", "make_adapters"]
