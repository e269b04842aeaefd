"""Query encoders: embed sentences and sounds in one space. Loading one, and saving a tiny one."""

from __future__ import annotations

from pathlib import Path

import torch

from dplass_cli.devices import process_device
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.encoders.laion import LaionConfig, LaionEncoder, clap_state, load_laion
from dplass_cli.encoders.source_names import SourceNamesEncoder, contained_source_names
from dplass_cli.encoders.tiny import TinyEncoder, TinyEncoderConfig
from dplass_cli.errors import InputError
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.resources import resource
from dplass_cli.weights.checkpoint_files import (
    described_config,
    in_dtype,
    load_strictly,
    read_tensors,
    write_safetensors,
)
from dplass_cli.weights.named_models import resolve_model

__all__ = [
    "LaionConfig",
    "LaionEncoder",
    "QueryEncoder",
    "SourceNamesEncoder",
    "TinyEncoder",
    "TinyEncoderConfig",
    "load_encoder",
    "load_encoder_of",
    "save_tiny_encoder",
]

_TINY_FORMAT = "dplass-tiny-encoder-1"


def load_encoder(
    encoder: str | Path = "tiny",
    tokenizer: Path | str | None = None,
    device: str | torch.device = "cpu",
    trust: bool = False,
) -> QueryEncoder:
    """Load a query encoder.

    Args:
        encoder: ``tiny`` (bundled), a file written by ``scripts/train_tiny.py``, a LAION CLAP ``.pt`` (HTSAT-base or
            -tiny, with or without feature fusion), AudioSep's checkpoint, which contains one as ``query_encoder.*``, or
            LaSAFT's, which knows four sources by name.
        tokenizer: folder of RoBERTa's tokenizer files (``vocab.json`` and ``merges.txt``, or ``tokenizer.json``), for
            LAION's encoder.
        device: where it computes.
        trust: read pickled files that contain more than weights; such files can run arbitrary code.

    Raises:
        InputError: the file is missing or contains no encoder, or LAION's encoder lacks its package or tokenizer.
    """
    path = resource("assets/tiny/encoder.safetensors") if encoder == "tiny" else Path(encoder)
    tensors, metadata = read_tensors(path, trust, mapped=True)
    if metadata.get("format") == _TINY_FORMAT:
        config = from_mapping(TinyEncoderConfig, described_config(metadata, path), str(path))
        tiny = TinyEncoder(config)
        load_strictly(tiny, in_dtype(tensors, torch.float32), str(path))
        return tiny.eval().requires_grad_(False).to(device)
    if names := contained_source_names(tensors):
        return names
    state = clap_state(tensors, str(path))
    if state is None:
        raise InputError(
            f"{path}: contains no query encoder; give the one it was trained with as --encoder: a LAION CLAP .pt with"
            " --tokenizer FOLDER, AudioSep's checkpoint, a file written by scripts/train_tiny.py, or tiny"
        )
    return load_laion(state, str(path), tokenizer, device)


def load_encoder_of(model: ModelSpec) -> QueryEncoder:
    """Load the query encoder of a model on its device; without one of its own, that of the base."""
    model = resolve_model(model)
    return load_encoder(model.encoder or model.base, model.tokenizer, process_device(model.device), model.trust)


def save_tiny_encoder(path: Path | str, encoder: TinyEncoder, dtype: torch.dtype = torch.float16) -> None:
    """Write a tiny encoder with its configuration, atomically."""
    metadata = {"format": _TINY_FORMAT, "config": to_mapping(encoder.config)}
    write_safetensors(path, in_dtype(encoder.state_dict(), dtype), metadata)
