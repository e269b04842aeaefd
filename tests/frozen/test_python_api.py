"""The Python names that the documentation shows take what they took, and results have the attributes they had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from frozen.surface import lost_in_python, python_api, read

from dplass_cli import AdapterBank, Separator, __version__, load_base, load_encoder
from dplass_cli.evaluation.metrics import sdr, si_sdr


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """One second of stereo noise at 32 kHz."""
    return np.random.default_rng(0).uniform(-0.3, 0.3, (2, 32000)).astype(np.float32)


@pytest.fixture(scope="module")
def separator() -> Separator:
    """The bundled models, as a script loads them."""
    return Separator.from_pretrained(base="tiny", encoder="tiny", adapters="tiny", policy="text", device="cpu")


def test_no_public_name_parameter_or_default_is_lost() -> None:
    assert lost_in_python(read("python_api.json"), python_api()) == []
    assert __version__.count(".") >= 1


def test_a_base_takes_mixtures_and_conditions() -> None:
    base, encoder = load_base("tiny"), load_encoder("tiny")
    condition = encoder.embed_text(["a dog barking"])
    assert condition.dtype == torch.float32
    assert condition.shape == (1, base.config.condition_size)
    assert float(condition.norm()) == pytest.approx(1.0, abs=1e-5)
    assert isinstance(encoder.fingerprint, str)
    mixture = 0.1 * torch.randn(1, 1, base.config.sample_rate, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert base(mixture, condition).shape == mixture.shape
        assert encoder.embed_audio(mixture[:, 0], base.config.sample_rate).shape == condition.shape


def test_a_bank_activates_one_adapter_a_blend_or_none() -> None:
    base, encoder = load_base("tiny"), load_encoder("tiny")
    bank = AdapterBank(base)
    keys = bank.load("tiny")
    assert keys == bank.keys == [f"domain{number}" for number in range(7)]
    assert bank.infos[keys[0]].method == "lora"
    mixture = 0.1 * torch.randn(1, 1, base.config.sample_rate, generator=torch.Generator().manual_seed(0))
    condition = encoder.embed_text(["a dog barking"])
    outputs = []
    with torch.inference_mode():
        for which in (None, keys[0], {keys[0]: 0.5, keys[1]: 0.5}, None):
            bank.activate(which)
            outputs.append(base(mixture, condition))
    assert torch.equal(outputs[0], outputs[3])
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[1], outputs[2])


def test_a_separator_takes_arrays(separator: Separator, noise: np.ndarray) -> None:
    targets = separator(noise, 32000, ["a dog barking", "rain falling"])
    assert list(targets) == ["a dog barking", "rain falling"]
    assert {(target.shape, target.dtype.name) for target in targets.values()} == {((2, 32000), "float32")}


def test_a_separator_takes_files_and_says_what_it_wrote(
    separator: Separator, noise: np.ndarray, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "noise.wav", noise.T, 32000, subtype="PCM_16")
    written = separator.separate_file(tmp_path / "noise.wav", ["a dog barking"], tmp_path / "out", residual=True)
    assert [one.path for one in written] == [
        tmp_path / "out" / "noise_a_dog_barking.wav",
        tmp_path / "out" / "noise_residual.wav",
    ]
    assert [one.query for one in written] == ["a dog barking", "residual"]
    assert written[0].adapter in [f"domain{number}" for number in range(7)]
    assert 0 <= written[0].presence.score <= 1
    assert written[0].presence.calibrated
    assert written[0].clipped == 0
    assert written[1].adapter is None
    assert written[1].presence is None
    assert all(one.path.is_file() for one in written)


def test_what_was_given_wrong_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.ckpt"):
        load_base(tmp_path / "no.ckpt")
    with pytest.raises(ValueError, match="oracle"):
        Separator.from_pretrained(policy="oracle", device="cpu")


def test_metrics_are_decibels() -> None:
    time = np.arange(16000, dtype=np.float32) / 16000
    reference, noise = np.sin(440 * time).astype(np.float32), np.cos(4000 * time).astype(np.float32)
    assert sdr(reference, reference + 0.1 * noise) == pytest.approx(20.0, abs=0.2)
    assert si_sdr(reference, 2 * (reference + 0.1 * noise)) == pytest.approx(20.0, abs=0.2)
