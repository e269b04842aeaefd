"""The registry of networks: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dplass_cli.models.base import BaseModel
from dplass_cli.models.lasaft import LaSAFT
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.network_settings import NetworkConfig, ResUNet30Config

NETWORKS: dict[str, type[BaseModel]] = {"resunet30": ResUNet30, "lasaft": LaSAFT}
"""{name in the configuration: the network}."""


def make_network(config: NetworkConfig) -> BaseModel:
    """Create an untrained network."""
    return NETWORKS[config.name](config)


def published_config(state: Mapping[str, Tensor], hyper_parameters: Mapping[str, Any], where: str) -> NetworkConfig:
    """The configuration of a published checkpoint, by the network that recognises it; AudioSep's if none does.

    InputError, beginning with ``where``, if a network recognises the checkpoint and cannot represent it.
    """
    for network in NETWORKS.values():
        if config := network.published_config(state, hyper_parameters, where):
            return config
    return ResUNet30Config()
