"""The registry of networks: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dplass_cli.models.base import BaseModel
from dplass_cli.models.lasaft import LaSAFT
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.network_settings import LaSAFTConfig, NetworkConfig, ResUNet30Config

NETWORKS: dict[str, type[BaseModel]] = {"resunet30": ResUNet30, "lasaft": LaSAFT}
"""{name in the configuration: the network}."""

PUBLISHED: dict[str, NetworkConfig] = {
    "AudioSep": ResUNet30Config(),
    "LaSAFT": LaSAFTConfig(),
    # conf/pretrained/model/conditioned_separation/lasaft_net_large.yaml of the published code
    "LaSAFT, large": LaSAFTConfig(n_fft=4096, n_blocks=9, embedding_dim=64, tdf_bias=False),
    "LightSAFT": LaSAFTConfig(light=True),
}
"""Configurations of published networks."""


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
