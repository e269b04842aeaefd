"""LaSAFT from the command line's options to files: the published path, windows, adapters and training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lasaft_checkpoints import golden_case, write_lightning, write_small
from small_networks import FOUR_SOURCES, small_lasaft

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.models import load_base
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.pipelines.separate import separate
from dplass_cli.separation.separator import Separator

SOURCES = ["vocals", "drums", "bass", "other"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small published checkpoint, at 44.1 kHz."""
    return write_small(tmp_path_factory.mktemp("lasaft") / "small.ckpt", small_lasaft(config=FOUR_SOURCES))


def noise(channels: int, seconds: float) -> np.ndarray:  # type: ignore[type-arg]
    return 0.1 * np.random.default_rng(0).standard_normal((channels, round(seconds * 44100))).astype(np.float32)


def test_a_separated_file_equals_the_golden_waveforms(tmp_path: Path) -> None:
    state, settings, golden = golden_case("lasaft")
    path = write_lightning(tmp_path / "published.ckpt", state, settings)
    write_audio(tmp_path / "mix.wav", np.ascontiguousarray(golden["waveform"][0].T), 44100, "FLOAT")
    query = SOURCES[golden["condition"][0]]
    options = SeparateOptions(
        inputs=(tmp_path / "mix.wav",),
        query=(query,),
        output=tmp_path / "out",
        base_checkpoint=str(path),
        device="cpu",
    )
    ((target,),) = separate(options).written.values()
    assert target.presence is None
    audio, rate = soundfile.read(str(target.path), dtype="float32")
    assert (rate, audio.shape) == (44100, golden["separated"][0].shape)
    assert np.abs(audio - golden["separated"][0]).max() <= 1e-5


def test_a_loaded_checkpoint_has_the_hyper_parameters_that_it_contains(checkpoint: Path) -> None:
    network = load_base(checkpoint)
    assert network.config == FOUR_SOURCES
    assert network.name == "LaSAFT"


def test_windows_give_the_same_as_the_whole_recording(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    mixture = noise(2, 6.0)
    monkeypatch.setattr("dplass_cli.separation.windows.CORE_SECONDS", 2.0)
    windowed = separator(mixture, 44100, ["drums"])["drums"]
    monkeypatch.setattr("dplass_cli.separation.windows.CORE_SECONDS", 60.0)
    whole = separator(mixture, 44100, ["drums"])["drums"]
    errors = np.square(windowed - whole)[:, : whole.shape[1] // 441 * 441].reshape(2, -1, 441).mean(axis=2)
    assert errors.any(), "there is only one window"
    assert 10 * np.log10(errors.max() / np.square(whole).mean()) < -60.0


@pytest.mark.parametrize("stereo", ["shared", "each"])
def test_stereo_is_separated_together(checkpoint: Path, stereo: str) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu", stereo=stereo)  # type: ignore[arg-type]
    mixture = noise(2, 0.5)
    network = separator.bank.network
    with torch.inference_mode():
        expected = network(torch.from_numpy(mixture)[None], torch.eye(4)[3:])[0].numpy()
    np.testing.assert_allclose(separator(mixture, 44100, ["other"])["other"], expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_other_numbers_of_channels_are_separated_channel_by_channel(checkpoint: Path, channels: int) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    mixture = noise(channels, 0.5)
    found = separator(mixture, 44100, ["bass"])["bass"]
    for channel in range(channels):
        alone = separator(mixture[channel : channel + 1], 44100, ["bass"])["bass"]
        np.testing.assert_allclose(found[channel : channel + 1], alone, atol=1e-6)


def test_consistent_targets_add_up_to_the_recording(checkpoint: Path) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    mixture = noise(2, 0.5)
    targets = separator(mixture, 44100, SOURCES, consistent=True)
    assert set(targets) == set(SOURCES)
    assert np.isfinite(np.stack(list(targets.values()))).all()


def test_what_the_network_cannot_do_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--backend openvino: runs ResUNet30, but the base is LaSAFT"):
        Separator.from_pretrained(checkpoint, device="cpu", backend="openvino")
    with pytest.raises(InputError, match=r"its embeddings have 128 values, the base .* expects 4"):
        Separator.from_pretrained(checkpoint, encoder="tiny", device="cpu")
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    write_audio(tmp_path / "mix.wav", noise(2, 0.5), 44100, "FLOAT")
    with pytest.raises(InputError, match="'a violin' does not name one source"):
        separator.separate_file(tmp_path / "mix.wav", ["a violin"], tmp_path / "out")
    with pytest.raises(InputError, match="--silence-if-absent"):
        separator.separate_file(tmp_path / "mix.wav", ["bass"], tmp_path / "out", silence_if_absent=0.5)
