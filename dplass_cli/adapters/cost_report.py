"""The parameters and multiply-accumulates of an adapter over its base."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.adapters.adapter_folder import AdapterInfo
from dplass_cli.adapters.injection import layer_at, make_adapters
from dplass_cli.models.base import BaseModel
from dplass_cli.models.flops import LayerCost, layer_costs
from dplass_cli.options.network_settings import NetworkConfig


@dataclass(frozen=True)
class LayerReport:
    """A layer of a base.

    Attributes:
        cost: what the layer itself costs.
        adapter_parameters: parameters of its adapter.
        adapter_macs_per_second: additional multiply-accumulates per second of audio.
    """

    cost: LayerCost
    adapter_parameters: int
    adapter_macs_per_second: float


@dataclass(frozen=True)
class AdapterReport:
    """The costs of a base, or of an adapter over it.

    Attributes:
        info: the description of the adapter; None for a base alone.
        layers: one row per layer.
        total: parameters of base and adapter.
        trainable: parameters that training changes.
        dead: parameters of the base that no output depends on.
        macs_per_second: multiply-accumulates per second of audio, of the base.
        adapter_macs_per_second: additional multiply-accumulates per second of audio, of the adapter.
        macs_per_query: multiply-accumulates per query.
    """

    info: AdapterInfo | None
    layers: list[LayerReport]
    total: int
    trainable: int
    dead: int
    macs_per_second: float
    adapter_macs_per_second: float
    macs_per_query: float


def cost_report(config: NetworkConfig, info: AdapterInfo | None) -> AdapterReport:
    """Count the parameters and multiply-accumulates of an adapter over its base, or of a base alone (None).

    A weight delta adds no work once it is merged; the branches of ``conv-adapter`` are counted.
    """
    parameters: dict[str, int] = {}

    def attach(network: BaseModel) -> None:
        assert info is not None
        for path, adapter in make_adapters(network, info.method, info.layers).items():
            parameters[path] = sum(parameter.numel() for parameter in adapter.parameters())
            if not adapter.linear:
                adapter.attach(layer_at(network, path))

    base = layer_costs(config)
    adapted = base if info is None else layer_costs(config, attach)
    layers = [
        LayerReport(cost, parameters.get(cost.path, 0), with_adapter.macs_per_second - cost.macs_per_second)
        for cost, with_adapter in zip(base, adapted, strict=True)
    ]
    base_parameters, added = sum(cost.parameters for cost in base), sum(parameters.values())
    return AdapterReport(
        info=info,
        layers=layers,
        total=base_parameters + added,
        trainable=base_parameters if info is None else added,
        dead=sum(cost.dead for cost in base),
        macs_per_second=sum(cost.macs_per_second for cost in base),
        adapter_macs_per_second=sum(layer.adapter_macs_per_second for layer in layers),
        macs_per_query=sum(cost.macs_per_query for cost in base),
    )
