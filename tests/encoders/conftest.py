"""LAION's CLAP under the formula's weights, whole and small, and a small tokenizer of RoBERTa's form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.encoders import LaionEncoder, load_encoder
from dplass_cli.encoders.laion_model import ROBERTA, build_clap

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL_ROBERTA = {"vocab_size": 300, "num_hidden_layers": 1, "intermediate_size": 32}


@pytest.fixture(scope="session")
def golden_clap() -> dict[str, Any]:
    """Inputs and outputs of the published encoder under the formula's weights."""
    with np.load(GOLDEN / "clap_io.npz") as archive:
        return dict(archive)


@pytest.fixture(scope="session")
def clap_layout() -> dict[str, Any]:
    """Keys and shapes of the published encoder."""
    layout: dict[str, Any] = json.loads((GOLDEN / "clap_layout.json").read_text())
    return layout


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Byte-level BPE with RoBERTa's special tokens, the 256 bytes and four merges."""
    folder = tmp_path_factory.mktemp("tokenizer")
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    words = ["<s>", "<pad>", "</s>", "<unk>", *(symbols[byte] for byte in range(256)), "do", "dog", "Ġa", "Ġdog"]
    vocabulary = {word: number for number, word in enumerate([*words, "<mask>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nd o\ndo g\nĠ a\nĠ dog\n", encoding="utf-8")
    return folder


def computed_buffer(key: str, shape: tuple[int, ...]) -> Tensor:
    """The value that a Swin transformer's buffer has by definition (windows of 8, shifted by 4)."""
    if key.endswith("relative_position_index"):
        at = np.stack(np.divmod(np.arange(64), 8))
        step = at[:, :, None] - at[:, None, :] + 7
        return torch.from_numpy(15 * step[0] + step[1])
    if key.endswith("attn_mask"):
        side = 8 * round(shape[0] ** 0.5)
        band = np.digitize(np.arange(side), [side - 8, side - 4])
        region = (3 * band[:, None] + band).reshape(side // 8, 8, side // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
        return torch.from_numpy(np.where(region[:, :, None] != region[:, None, :], -100.0, 0.0)).float()
    return torch.tensor(0) if key.endswith("num_batches_tracked") else torch.tensor(1 / 0.07).log()


def formula_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A checkpoint's tensors: the formula's, and those that have their value by definition; no transform kernels."""
    import weights_fill

    kept = {key: shape for key, shape in shapes.items() if "_extractor." not in key}
    filled = {key: torch.from_numpy(value) for key, value in weights_fill.fill(_parameters(kept)).items()}
    return {key: filled[key] if key in filled else computed_buffer(key, shape) for key, shape in kept.items()}


def _parameters(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {key: shape for key, shape in shapes.items() if not key.endswith(("_index", "attn_mask", "_tracked"))}


def laion_file(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """LAION's form: ``module.``, transform kernels, an old counter of positions, and the training's own state."""
    whole = {
        "audio_branch.spectrogram_extractor.stft.conv_real.weight": torch.zeros(513, 1, 1024),
        "audio_branch.spectrogram_extractor.stft.conv_imag.weight": torch.zeros(513, 1, 1024),
        "audio_branch.logmel_extractor.melW": torch.zeros(513, 64),
        "text_branch.embeddings.position_ids": torch.arange(514)[None],
        **state,
    }
    return {
        "epoch": 15,
        "name": "a run",
        "best": np.float64(0.9),  # a number of numpy, as training loops leave them
        "state_dict": {f"module.{key}": tensor for key, tensor in whole.items()},
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": np.float64(1e-4)}]},
    }


@pytest.fixture(scope="session")
def laion(
    clap_layout: dict[str, Any], tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> LaionEncoder:
    """The published encoder, HTSAT-base, read from a file of LAION's form."""
    path = tmp_path_factory.mktemp("clap") / "clap.pt"
    torch.save(laion_file(formula_state({e["key"]: tuple(e["shape"]) for e in clap_layout["entries"]})), path)
    encoder = load_encoder(path, tokenizer=tokenizer_folder)
    path.unlink()  # so nothing stays on the disk, and nothing reads from there any more
    assert isinstance(encoder, LaionEncoder)
    return encoder


@pytest.fixture
def small_roberta(monkeypatch: pytest.MonkeyPatch) -> None:
    """RoBERTa of one layer, for as long as a test runs."""
    for name, value in SMALL_ROBERTA.items():
        monkeypatch.setitem(ROBERTA, name, value)


@pytest.fixture(scope="session")
def small_states() -> dict[bool, dict[str, Tensor]]:
    """HTSAT-tiny with RoBERTa of one layer, without feature fusion and with: {fusion: tensors}."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL_ROBERTA.items():
            patch.setitem(ROBERTA, name, value)
        shapes = {
            fusion: {key: tuple(tensor.shape) for key, tensor in build_clap("tiny", fusion).state_dict().items()}
            for fusion in (False, True)
        }
    fused = formula_state(shapes[True])
    return {False: {key: fused[key] for key in shapes[False]}, True: fused}
