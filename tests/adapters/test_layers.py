"""Naming the layers that are adapted, and their ranks and alphas."""

from __future__ import annotations

from typing import Any

import pytest
from small_networks import SMALL

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.base import PUBLISHED_ALPHAS
from dplass_cli.adapters.injection import layer_settings
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings


@pytest.fixture(scope="module")
def full() -> ResUNet30:
    return ResUNet30()


def chosen(network: ResUNet30, *names: str, **settings: Any) -> list[str]:
    address = {target.path: target.address for target in network.adaptable_layers()}
    return [address[path] for path in layer_settings(network, AdapterSettings(targets=names, **settings))]


def test_the_published_network_has_these_layers(full: ResUNet30) -> None:
    kinds = [target.kind for target in full.adaptable_layers()]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    # 13 blocks; shortcuts where the widths differ; 2 betas a residual block and one a transposed convolution.
    assert counts == {"edge": 2, "conv": 26, "film": 2 * 13 + 6, "shortcut": 10, "upsample": 6}
    assert len({target.address for target in full.adaptable_layers()}) == len(kinds)
    assert {target.block for target in full.adaptable_layers()} == {*PUBLISHED_ALPHAS, "pre_conv", "after_conv"}


def test_names_select_layers_by_address_block_and_kind(full: ResUNet30) -> None:
    assert chosen(full, "encoder1.conv2") == ["encoder1.conv2"]
    assert chosen(full, "bottleneck") == [f"bottleneck.{name}" for name in ("conv1", "conv2", "film1", "film2")]
    assert chosen(full, "decoder1") == [
        f"decoder1.{name}" for name in ("upsample", "conv1", "conv2", "shortcut", "film_upsample", "film1", "film2")
    ]
    assert len(chosen(full, "conv")) == 26
    assert len(chosen(full, "encoder*.conv?", "upsample", "after_conv")) == 12 + 6 + 1
    assert len(chosen(full, "film")) == 32


def test_ranks_and_alphas_by_layer(full: ResUNet30) -> None:
    settings = AdapterSettings(
        "lora",
        ("conv", "after_conv", "encoder1.film1"),
        rank={"*": 8, "bottleneck": 2, "encoder1.conv2": 1},
        alpha={"decoder*": 3.0, "film": 0.5},
    )
    resolved = layer_settings(full, settings)
    value = {t.address: resolved[t.path] for t in full.adaptable_layers() if t.path in resolved}
    assert (value["encoder1.conv1"].rank, value["encoder1.conv2"].rank, value["bottleneck.conv1"].rank) == (8, 1, 2)
    assert (value["encoder6.conv1"].alpha, value["decoder1.conv1"].alpha, value["after_conv"].alpha) == (16, 3, 1)
    assert value["encoder1.film1"].alpha == 0.5
    assert {s.alpha for s in layer_settings(full, AdapterSettings(alpha=2.5)).values()} == {2.5}
    assert {s.rank for s in layer_settings(full, AdapterSettings(rank=7)).values()} == {7}


@pytest.mark.parametrize("method", list(METHODS))
def test_the_defaults_are_dplasss(full: ResUNet30, method: str) -> None:
    resolved = layer_settings(full, AdapterSettings(method))
    block = {target.path: target.block for target in full.adaptable_layers()}
    assert len(resolved) == 26
    for path, settings in resolved.items():
        assert settings.alpha == (1.0 if method == "conv-adapter" else PUBLISHED_ALPHAS[block[path]])
        assert (settings.rank, settings.gamma) == (4, 1)


def test_a_smaller_network_accepts_alphas_of_blocks_it_lacks() -> None:
    settings = AdapterSettings(alpha=dict(PUBLISHED_ALPHAS))
    assert layer_settings(ResUNet30(SMALL), settings) == layer_settings(ResUNet30(SMALL), AdapterSettings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": ("encodr1",)}, r"adapter.targets: 'encodr1' matches no adaptable layer .*did you mean 'encoder1'"),
        ({"targets": ("encoder1.bn1",)}, r"'encoder1.bn1' matches no adaptable layer of this network"),
        ({"targets": ("decoder1.film3",)}, "matches no adaptable layer"),
        ({"targets": ("conv", "encoder1")}, r"encoder1.conv1 is matched twice, by 'conv' and by 'encoder1'"),
        ({"alpha": {"encodr1": 2.0}}, r"adapter.alpha: 'encodr1' matches no adaptable layer"),
        (
            {"rank": {"upsampling": 2}},
            r"adapter.rank: 'upsampling' matches no .*did you mean 'upsample'",
        ),
        ({"method": "recon"}, r"--adapter recon: must be one of .*; did you mean 'reconv'"),
    ],
)
def test_names_that_match_no_layer_or_two_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        layer_settings(ResUNet30(SMALL), AdapterSettings(**settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "rank 0: must be from 1 to"),
        ({"rank": {"conv": 0}}, "rank"),
        ({"gamma": 0}, "gamma"),
        ({"targets": ()}, "targets .*: must be at least one layer"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdapterSettings(**settings)
