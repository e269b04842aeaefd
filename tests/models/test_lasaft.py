"""LaSAFT against the published implementation's numbers, its configurations, and stereo and mono mixtures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from lasaft_checkpoints import golden_case
from small_networks import SMALL_LASAFT, fresh, small_lasaft

from dplass_cli.adapters import adapted
from dplass_cli.adapters.injection import layer_settings
from dplass_cli.errors import InputError
from dplass_cli.models.flops import layer_costs
from dplass_cli.models.lasaft import LaSAFT
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import LaSAFTConfig

PARAMETERS = {"lasaft": 8_447_692, "lasaft_masking": 9_064_298, "lightsaft": 2_379_388}


@pytest.fixture(scope="module", params=PARAMETERS)
def case(request: pytest.FixtureRequest) -> tuple[str, LaSAFT, dict[str, Any]]:
    """A published configuration: (name, network with the formula's weights, golden arrays)."""
    state, settings, golden = golden_case(request.param)
    config = LaSAFT.published_config(state, settings, "golden")
    assert config is not None
    network = LaSAFT(config).eval()
    own = {key for key in network.state_dict() if not key.endswith("num_batches_tracked")}
    assert own == state.keys() - {"stft.stft.window"}
    network.load_state_dict(state, strict=False)
    return request.param, network, golden


def worst(got: torch.Tensor, expected: Any) -> float:
    assert got.shape == expected.shape
    return float((got - torch.from_numpy(expected)).abs().max())


def conditions(golden: dict[str, Any]) -> torch.Tensor:
    return torch.eye(4)[torch.from_numpy(golden["condition"])]


def test_the_number_of_parameters_is_the_published_one(case: tuple[str, LaSAFT, dict[str, Any]]) -> None:
    name, network, _ = case
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


def test_spectrograms_equal_the_golden_ones(case: tuple[str, LaSAFT, dict[str, Any]]) -> None:
    _, network, golden = case
    waveform = torch.from_numpy(golden["waveform"]).transpose(1, 2)
    with torch.inference_mode():
        output = network.spec2spec(torch.from_numpy(golden["spectrogram"]), conditions(golden)[:1])
        assert worst(output, golden["output"]) <= 1e-5
        assert worst(network.analyse(waveform).features[:1], golden["to_spec"]) <= 1e-5


def test_separated_waveforms_equal_the_golden_ones(case: tuple[str, LaSAFT, dict[str, Any]]) -> None:
    _, network, golden = case
    with torch.inference_mode():
        separated = network(torch.from_numpy(golden["waveform"]).transpose(1, 2), conditions(golden))
    assert worst(separated.transpose(1, 2), golden["separated"]) <= 1e-5


@pytest.mark.parametrize("spec_type", ["complex", "magnitude"])
@pytest.mark.parametrize("spec_est_mode", ["mapping", "masking"])
@pytest.mark.parametrize("light", [False, True])
def test_mono_is_separated_as_stereo_with_equal_channels(spec_type: Any, spec_est_mode: Any, light: bool) -> None:
    network = small_lasaft(config=replace(SMALL_LASAFT, spec_type=spec_type, spec_est_mode=spec_est_mode, light=light))
    mixture, condition = torch.randn(2, 1, 3001), torch.randn(2, 8)
    with torch.inference_mode():
        mono, stereo = network(mixture, condition), network(mixture.expand(-1, 2, -1), condition)
    assert mono.shape == mixture.shape
    torch.testing.assert_close(mono, stereo.mean(dim=1, keepdim=True))


@pytest.mark.parametrize("condition_to", ["encoder", "decoder", "full"])
def test_every_parameter_gets_a_gradient(condition_to: Any) -> None:
    network = small_lasaft(config=replace(SMALL_LASAFT, condition_to=condition_to)).train().requires_grad_(True)
    network(torch.randn(2, 2, 3000), torch.randn(2, 8)).square().sum().backward()
    missing = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not missing


def test_the_query_changes_the_output() -> None:
    network, mixture = small_lasaft(), torch.randn(1, 2, 3000)
    first, second = (network(mixture, torch.eye(8)[row : row + 1]) for row in (0, 1))
    assert float((first - second).abs().max()) > 1e-4


def test_hyper_parameters_that_are_not_supported_are_refused() -> None:
    state = {"spec2spec.embedding.weight": torch.zeros(4, 32)}
    with pytest.raises(InputError, match=r"a\.ckpt: hyper-parameter tfc_tdf_activation is 'gelu'; supported: relu"):
        LaSAFT.published_config(state, {"tfc_tdf_activation": "gelu"}, "a.ckpt")
    with pytest.raises(InputError, match=r"a\.ckpt: hyper_parameters"):
        LaSAFT.published_config(state, {"n_fft": "many"}, "a.ckpt")


def test_the_published_large_model_is_described_by_its_hyper_parameters() -> None:
    given = {"n_fft": 4096, "hop_length": 1024, "n_blocks": 9, "embedding_dim": 64, "tfc_tdf_bias": False, "lr": 1e-4}
    config = LaSAFT.published_config({"spec2spec.embedding.weight": torch.zeros(4, 64)}, given, "a.ckpt")
    assert config == LaSAFTConfig(n_fft=4096, n_blocks=9, embedding_dim=64, tdf_bias=False)


def test_inconsistent_configurations_are_refused() -> None:
    with pytest.raises(InputError, match="n_blocks 8: must be an odd number"):
        replace(SMALL_LASAFT, n_blocks=8)
    with pytest.raises(InputError, match="n_fft 260: must be a multiple of 8, by the number of blocks"):
        replace(SMALL_LASAFT, n_fft=260)
    with pytest.raises(InputError, match="kernel_size"):
        replace(SMALL_LASAFT, kernel_size=(2, 3))


def test_all_convolutions_between_spectrograms_can_be_adapted() -> None:
    network = small_lasaft()
    settings = AdapterSettings("lora", targets=("conv", "downsample", "upsample", "edge"))
    chosen = list(layer_settings(network, settings))
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    assert set(chosen) == {path for path, module in network.named_modules() if isinstance(module, kinds)}
    assert chosen == [layer.path for layer in network.adaptable_layers()]


@pytest.mark.parametrize("method", ["lora", "dora", "reconv", "conv-adapter"])
def test_adapters_learn_on_its_convolutions(method: str) -> None:
    network = small_lasaft()
    mixture, condition = torch.randn(2, 2, 2000), torch.randn(2, 8)
    with torch.inference_mode():
        before = network(mixture, condition)
    adapters = fresh(network, AdapterSettings(method))
    with adapted(network, adapters):
        trained = [parameter for adapter in adapters.values() for parameter in adapter.parameters()]
        optimizer = torch.optim.Adam(trained, lr=1e-2)
        losses = []
        for _ in range(3):
            loss = network(mixture, condition).square().mean()
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert losses[-1] < losses[0]
    with torch.inference_mode():
        assert torch.equal(network(mixture, condition), before)


def test_costs_are_counted_per_layer() -> None:
    costs = layer_costs(LaSAFTConfig(light=True))
    assert sum(cost.parameters for cost in costs) == PARAMETERS["lightsaft"]
    assert not any(cost.dead for cost in costs)
    first = next(cost for cost in costs if cost.path == "spec2spec.encoders.0.tfc.H.0.0")
    assert first.macs_per_second == pytest.approx(24 * 24 * 9 * 1024 * 44100 / 1024)
    assert all(cost.macs_per_second == 0 for cost in costs if "condition_generator" in cost.path)


def test_a_training_batch_of_one_item_is_normalised_with_the_running_statistics() -> None:
    network = small_lasaft().train()
    assert torch.isfinite(network(torch.randn(1, 2, 2000), torch.randn(1, 8))).all()
