"""Writing AudioSep's checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_networks import SMALL, small_network

from dplass_cli.errors import InputError
from dplass_cli.models import load_base
from dplass_cli.models.audiosep_checkpoint import audiosep_state, transform_kernels, write_audiosep, write_checkpoint
from dplass_cli.models.resunet30 import ResUNet30


def test_the_keys_and_shapes_are_audioseps_in_its_order(network_layout: dict[str, Any]) -> None:
    state = audiosep_state(ResUNet30())
    expected = [(entry["key"], entry["shape"]) for entry in network_layout["entries"]]
    assert sorted((key, list(tensor.shape)) for key, tensor in state.items()) == sorted(map(tuple, expected))


@pytest.mark.parametrize("extension", [{"input_power": 0.3}, {"input_level_db": -21.0}])
def test_a_network_that_audiosep_lacks_is_refused(extension: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"has no stem, input power or input level.*; write .*dplass adapters merge"):
        audiosep_state(ResUNet30(replace(SMALL, **extension)))


def test_the_kernels_compute_the_transform_and_its_inverse() -> None:
    kernels = transform_kernels(64)
    frame = torch.randn(64, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(64)
    expected = torch.fft.rfft(frame * window)
    torch.testing.assert_close(kernels["stft.conv_real.weight"][:, 0] @ frame, expected.real, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kernels["stft.conv_imag.weight"][:, 0] @ frame, expected.imag, atol=1e-5, rtol=1e-5)
    full = torch.fft.fft(frame)
    back = (
        kernels["istft.conv_real.weight"][:, :, 0] @ full.real - kernels["istft.conv_imag.weight"][:, :, 0] @ full.imag
    )
    torch.testing.assert_close(back, frame * window, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kernels["istft.ola_window"], window**2)


def test_a_written_network_is_read_back_with_the_encoder_of_its_source(tmp_path: Path) -> None:
    network = small_network()
    query = {"query_encoder.model.x": torch.ones(2), "other.y": torch.ones(2)}
    write_checkpoint(tmp_path / "source.ckpt", {"state_dict": query})
    write_audiosep(tmp_path / "a.ckpt", network, tmp_path / "source.ckpt")
    assert load_base(tmp_path / "a.ckpt", config=SMALL).sha256() == network.sha256()
    written = torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"]
    assert "query_encoder.model.x" in written
    assert "other.y" not in written
