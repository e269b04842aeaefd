"""Adapters: small, removable changes of a frozen network's layers."""

from dplass_cli.adapters.base import Adapter, LayerSettings
from dplass_cli.adapters.injection import METHODS, adapted, make_adapters

__all__ = ["METHODS", "Adapter", "LayerSettings", "adapted", "make_adapters"]
