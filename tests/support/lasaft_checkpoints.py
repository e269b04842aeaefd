"""LaSAFT checkpoints as the published code writes them, and the golden case of the proposed model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import weights_fill
from torch import Tensor

from dplass_cli.models.lasaft import LaSAFT

GOLDEN = Path(__file__).parents[1] / "golden"


def golden_case(name: str) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """(state dict under the formula, with the published keys; hyper-parameters; arrays) of a golden configuration."""
    layout = json.loads((GOLDEN / f"{name}_layout.json").read_text())
    shapes = {entry["key"]: entry["shape"] for entry in layout["entries"] if entry["dtype"] == "float32"}
    filled = weights_fill.fill(shapes, set(layout["transposed_conv_keys"]))
    with np.load(GOLDEN / f"{name}_io.npz") as archive:
        return {key: torch.from_numpy(value) for key, value in filled.items()}, layout["settings"], dict(archive)


def write_lightning(path: Path, state: dict[str, Tensor], hyper_parameters: dict[str, Any]) -> Path:
    """Write a checkpoint as Lightning did: the weights, the transform's window, and the hyper-parameters."""
    window = {"stft.stft.window": torch.hann_window(hyper_parameters["n_fft"])}
    torch.save({"epoch": 3, "state_dict": window | state, "hyper_parameters": hyper_parameters}, path)
    return path


def write_small(path: Path, network: LaSAFT) -> Path:
    """Write a small network that selects a source by its number."""
    config = network.config
    same = ("n_fft", "spec_type", "spec_est_mode", "internal_channels", "n_blocks", "n_internal_layers", "bn_factor")
    same += ("min_bn_units", "num_tdfs", "dk", "embedding_dim", "condition_to", "control_n_layer", "pocm_norm")
    settings = {name: getattr(config, name) for name in same}
    settings |= {"hop_length": config.hop, "control_input_dim": config.condition_size}
    return write_lightning(path, network.state_dict(), settings)
