"""A small network, inputs for it, and adapters with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from dplass_cli.adapters import Adapter, make_adapters
from dplass_cli.adapters.adapter_folder import AdapterInfo, LoadedAdapter
from dplass_cli.adapters.injection import layer_settings, statistics_of
from dplass_cli.models.base import BaseModel
from dplass_cli.models.lasaft import LaSAFT
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import LaSAFTConfig, ResUNet30Config
from dplass_cli.options.parse import to_mapping

N = TypeVar("N", bound=BaseModel)

SMALL = ResUNet30Config(
    condition_size=8, n_fft=256, hop=80, pre_channels=4, channels=(4, 6), downsample=((2, 2), (1, 2))
)
SMALL_LASAFT = LaSAFTConfig(
    condition_size=8,
    n_fft=256,
    hop=128,
    sample_rate=8000,
    internal_channels=4,
    n_blocks=5,
    n_internal_layers=2,
    bn_factor=8,
    min_bn_units=4,
    num_tdfs=3,
    dk=4,
    embedding_dim=4,
    control_n_layer=3,
)
FOUR_SOURCES = replace(SMALL_LASAFT, condition_size=4, sample_rate=44100)
"""Conditioned by the number of one of four sources, as published."""

EVERYWHERE = ("conv", "shortcut", "upsample", "film", "edge")


def small_network(seed: int = 0, config: ResUNet30Config = SMALL) -> ResUNet30:
    """A frozen base with random weights and batch-norm statistics."""
    torch.manual_seed(seed)
    return with_random_statistics(ResUNet30(config).eval().requires_grad_(False))


def with_random_statistics(network: N) -> N:
    """Fill the batch-norm statistics, which a new network has at 0 and 1."""
    for name, buffer in statistics_of(network).items():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return network


def small_lasaft(seed: int = 0, config: LaSAFTConfig = SMALL_LASAFT) -> LaSAFT:
    """A frozen LaSAFT with random weights and batch-norm statistics."""
    torch.manual_seed(seed)
    return with_random_statistics(LaSAFT(config).eval().requires_grad_(False))


def small_inputs() -> tuple[Tensor, Tensor]:
    """Mixtures (2, 1, 2000) and conditions (2, 8)."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 1, 2000, generator=generator), torch.randn(2, 8, generator=generator)


def perturb(adapters: Mapping[str, Adapter], seed: int = 1, size: float = 0.2) -> None:
    """Add noise to every tensor of the adapters, whose initial values change nothing."""
    generator = torch.Generator().manual_seed(seed)
    for adapter in adapters.values():
        for parameter in adapter.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.data.add_(size * noise)


def fresh(network: BaseModel, settings: AdapterSettings) -> dict[str, Adapter]:
    """Untrained adapters for a network."""
    return make_adapters(network, settings.method, layer_settings(network, settings))


def loaded(
    network: BaseModel, settings: AdapterSettings, seed: int = 1, statistics: dict[str, Tensor] | None = None
) -> LoadedAdapter:
    """A perturbed adapter with its description."""
    torch.manual_seed(seed)  # low-rank factors start from random values
    adapters = fresh(network, settings)
    perturb(adapters, seed)
    info = AdapterInfo(
        settings.method,
        layer_settings(network, settings),
        network.sha256(),
        to_mapping(network.config),
        "e",
        {"id": 3, "name": "x"},
        "adapt" if statistics else "frozen",
        settings.dtype,
    )
    return LoadedAdapter({p: a.eval().requires_grad_(False) for p, a in adapters.items()}, statistics or {}, info)
