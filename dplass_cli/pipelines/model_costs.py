"""``models --costs``: what the bundled and the published networks cost."""

from __future__ import annotations

from collections.abc import Sequence

from dplass_cli.evaluation.table import Figure, Table
from dplass_cli.models import load_base
from dplass_cli.models.flops import NetworkCosts, network_costs
from dplass_cli.models.registry import PUBLISHED
from dplass_cli.resources import BUNDLED_MODELS


def model_costs() -> list[NetworkCosts]:
    """The costs of the bundled bases, then those of published networks."""
    bundled = {name: load_base(name).config for name in BUNDLED_MODELS}
    return [network_costs(name, config) for name, config in {**bundled, **PUBLISHED}.items()]


def costs_table(costs: Sequence[NetworkCosts]) -> Table:
    """The costs, a row each."""
    rows: list[list[str | Figure]] = [
        [
            cost.name,
            Figure(cost.parameters / 1e6),
            Figure(cost.macs_per_second / 1e9),
            *map(_megabytes, (cost.float32_bytes, cost.float16_bytes, cost.int8_bytes)),
        ]
        for cost in costs
    ]
    columns = ("network", "parameters (M)", "MACs per second of audio (G)", "float32 (MB)", "float16 (MB)", "INT8 (MB)")
    return Table("", columns, rows)


def _megabytes(size: int) -> Figure:
    return Figure(size / 1e6, ".1f")
