"""The network against the published implementation's numbers, its configuration, and its FiLM maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dplass_cli.models.registry import published_config
from dplass_cli.models.resunet30 import FiLM, ResUNet30, unfold_stem
from dplass_cli.options.network_settings import ResUNet30Config


@pytest.fixture(scope="module")
def network(published_state: dict[str, Any]) -> ResUNet30:
    net = ResUNet30().eval()
    state = {key: torch.from_numpy(value) for key, value in published_state.items()}
    assert {k for k in net.state_dict() if not k.endswith("num_batches_tracked")} == state.keys()
    net.load_state_dict(state, strict=False)
    return net


def assert_golden(actual: torch.Tensor, expected: np.ndarray) -> None:  # type: ignore[type-arg]
    difference = actual.numpy() - expected
    assert np.abs(difference).max() <= 1e-6
    assert np.sqrt(np.square(difference).mean() / np.square(expected).mean()) <= 1e-5


def test_the_number_of_parameters_is_the_published_one(network: ResUNet30, network_layout: dict[str, Any]) -> None:
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == network_layout["totals"]["parameters_requires_grad"] == 26_447_941


@pytest.mark.parametrize("case", ["", "_batch"])
def test_waveforms_equal_the_golden_ones(network: ResUNet30, golden_network: dict[str, Any], case: str) -> None:
    mixture, condition = (torch.from_numpy(golden_network[name + case]) for name in ("mixture", "condition"))
    with torch.inference_mode():
        assert_golden(network(mixture, condition), golden_network["waveform" + case])
        assert torch.equal(network(network.base.analyse(mixture), condition), network(mixture, condition))


def test_betas_equal_the_golden_ones(network: ResUNet30, golden_network: dict[str, Any]) -> None:
    betas = network.film(torch.from_numpy(golden_network["condition"]))
    names = [name for name in golden_network if name.startswith("film/")]
    assert len(names) == len(betas)
    for name in names:
        beta = betas[name.removeprefix("film/").replace("->", ".")]
        np.testing.assert_allclose(beta[0, :16, 0, 0].detach(), golden_network[name], atol=1e-5)


def test_every_stage_equals_the_golden_one(network: ResUNet30, golden_network: dict[str, Any]) -> None:
    seen: dict[str, torch.Tensor] = {}
    hooks = []
    for name in {name.split("/")[1].split(".")[0] for name in golden_network if name.startswith("stage/")} - {"stft"}:

        def keep(module: Any, inputs: Any, output: Any, name: str = name) -> None:
            for part, tensor in enumerate(output if isinstance(output, tuple) else [output]):
                seen[f"{name}.{part}" if isinstance(output, tuple) else name] = tensor

        hooks.append(network.base.get_submodule(name).register_forward_hook(keep))
    mixture, condition = (torch.from_numpy(golden_network[name]) for name in ("mixture", "condition"))
    with torch.inference_mode():
        network(mixture, condition)
        spectrum = network.base.analyse(mixture).spectrum
    for hook in hooks:
        hook.remove()
    seen["stft.0"], seen["stft.1"] = spectrum.real[:, None], spectrum.imag[:, None]
    stages = [name for name in golden_network if name.startswith("stage/")]
    assert len(stages) == 25
    for name in stages:
        flat = seen[name.removeprefix("stage/")].reshape(-1)
        sampled = flat[:: max(1, len(flat) // 256)][:256]
        np.testing.assert_allclose(sampled, golden_network[name], atol=1e-4, err_msg=name)


def small(**changes: Any) -> ResUNet30Config:
    defaults: dict[str, Any] = {
        "condition_size": 8,
        "n_fft": 256,
        "hop": 80,
        "pre_channels": 4,
        "channels": (4, 6, 8),
        "downsample": ((2, 2), (2, 2), (1, 2)),
    }
    return ResUNet30Config(**{**defaults, **changes})


@pytest.mark.parametrize("stem", [(1, 1), (2, 4)])
@pytest.mark.parametrize("length", [129, 1000, 3217])
def test_the_output_is_as_long_as_the_input(stem: tuple[int, int], length: int) -> None:
    torch.manual_seed(0)
    net = ResUNet30(small(stem=stem, input_power=0.3)).eval()
    mixture = torch.randn(2, 1, length)
    with torch.inference_mode():
        output = net(mixture, torch.randn(2, 8))
    assert output.shape == mixture.shape
    assert torch.isfinite(output).all()


def test_unfolding_the_stem_undoes_its_folding() -> None:
    folded = torch.nn.functional.unfold(torch.arange(48.0).reshape(1, 1, 4, 12), (2, 4), stride=(2, 4))
    assert torch.equal(unfold_stem(folded.reshape(1, 8, 2, 3), (2, 4))[0, 0], torch.arange(48.0).reshape(4, 12))


def test_silence_stays_silent(network: ResUNet30) -> None:
    with torch.inference_mode():
        assert not network(torch.zeros(1, 1, 4000), torch.ones(1, 512)).any()


def test_gradients_are_finite_on_silence() -> None:
    net = ResUNet30(small(input_power=0.3))
    net(torch.zeros(1, 1, 2000), torch.ones(1, 8)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_inconsistent_configurations_are_refused() -> None:
    with pytest.raises(ValueError, match="2 channels but 3"):
        small(channels=(4, 6))
    with pytest.raises(ValueError, match="multiple of the frequency"):
        small(n_fft=250)


def test_each_beta_is_its_own_linear_map() -> None:
    film = FiLM({"a.b.beta1": 3, "a.beta2": 5}, 4)
    condition = torch.randn(2, 4)
    betas = film(condition)
    assert {path: tuple(beta.shape) for path, beta in betas.items()} == {
        "a.b.beta1": (2, 3, 1, 1),
        "a.beta2": (2, 5, 1, 1),
    }
    layer = film.get_submodule("a->b->beta1")
    torch.testing.assert_close(betas["a.b.beta1"][:, :, 0, 0], layer(condition))


def test_the_keys_are_those_of_audiosep() -> None:
    assert list(FiLM({"a.b.beta1": 3}, 4).state_dict()) == ["a->b->beta1.weight", "a->b->beta1.bias"]


def test_initially_the_biases_are_zero_and_the_weights_are_not() -> None:
    film = FiLM({"a": 3}, 4)
    film.reset()
    assert not film.state_dict()["a.bias"].any()
    assert film.state_dict()["a.weight"].all()


def test_the_transform_of_a_published_checkpoint_follows_from_its_frequency_bins() -> None:
    at_16_khz = ResUNet30Config(n_fft=1024, hop=160, sample_rate=16000)
    assert published_config({"base.bn0.weight": torch.ones(513)}, {}, "a.ckpt") == at_16_khz
    assert published_config({"base.bn0.weight": torch.ones(1025)}, {}, "a.ckpt") == ResUNet30Config()
