"""Query encoders: embed sentences and sounds in one space. Loading one, and saving a tiny one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dplass_cli.devices import process_device
from dplass_cli.encoders.base import QueryEncoder, space_of
from dplass_cli.encoders.laion import LaionConfig, LaionEncoder, clap_state, load_laion
from dplass_cli.encoders.minilm import KindReading, MiniLM, MiniLMEncoder, reading_in
from dplass_cli.encoders.projection_heads import ProjectedEncoder, ProjectionHeads
from dplass_cli.encoders.source_names import SourceNamesEncoder, contained_source_names
from dplass_cli.encoders.tiny import TinyEncoder
from dplass_cli.errors import InputError
from dplass_cli.extras import require_extra
from dplass_cli.options.encoder_settings import HeadsConfig, MiniLMConfig, TinyEncoderConfig
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.resources import BUNDLED_MODELS, bundled_or_path, shipped, shown_hash
from dplass_cli.weights.checkpoint_files import (
    described_config,
    in_dtype,
    load_strictly,
    read_tensors,
    write_safetensors,
)
from dplass_cli.weights.named_models import ENCODER, resolve_model

__all__ = [
    "BUNDLED",
    "LaionConfig",
    "LaionEncoder",
    "MiniLMEncoder",
    "ProjectedEncoder",
    "QueryEncoder",
    "SourceNamesEncoder",
    "TinyEncoder",
    "TinyEncoderConfig",
    "load_encoder",
    "load_encoder_of",
    "save_heads",
    "save_minilm_reading",
    "save_tiny_encoder",
    "space_of",
]

_TINY_FORMAT, _HEADS_FORMAT = "dplass-tiny-encoder-1", "dplass-projection-heads-1"
_MINILM_FORMAT = "dplass-minilm-reading-1"
MINILM, _MINILM_FILE = "minilm", "assets/tiny/minilm.safetensors"
BUNDLED = (*BUNDLED_MODELS, MINILM)
"""The names of the bundled encoders."""


def load_encoder(
    encoder: str | Path = "tiny",
    tokenizer: Path | str | None = None,
    device: str | torch.device = "cpu",
    trust: bool = False,
) -> QueryEncoder:
    """Load a query encoder.

    Args:
        encoder: ``tiny`` (bundled), ``minilm`` (the bundled one with MiniLM as its text side), a file written by
            ``dplass train --what encoder``, a LAION CLAP ``.pt`` (HTSAT-base or -tiny, with or without feature fusion),
            AudioSep's checkpoint, which contains one as ``query_encoder.*``, LaSAFT's, which knows four sources by
            name, or ``source-names``, the same encoder without a checkpoint.
        tokenizer: folder of RoBERTa's tokenizer files (``vocab.json`` and ``merges.txt``, or ``tokenizer.json``), for
            LAION's encoder.
        device: where it computes.
        trust: read pickled files that contain more than weights; such files can run arbitrary code.

    Raises:
        InputError: the file is missing or contains no encoder, LAION's encoder lacks its package or tokenizer, or heads
            lack the encoder that they belong to; likewise MiniLM.
    """
    if str(encoder) == SourceNamesEncoder.name:
        return SourceNamesEncoder()
    path = _file_of(encoder)
    tensors, metadata = read_tensors(path, trust, mapped=True)
    if metadata.get("format") != _HEADS_FORMAT:
        return _encoder_in(tensors, metadata, path, tokenizer, device, trust)
    config = from_mapping(HeadsConfig, described_config(metadata, path), str(path))
    frozen_path = _frozen_file(config, path)
    frozen_tensors, frozen_metadata = read_tensors(frozen_path, trust, mapped=True)
    if frozen_metadata.get("format") == _HEADS_FORMAT:
        raise InputError(f"{path}: its heads belong to {frozen_path}, which has heads itself; train them again")
    frozen = _encoder_in(frozen_tensors, frozen_metadata, frozen_path, tokenizer, device, trust)
    if frozen.fingerprint != config.encoder_fingerprint:
        raise InputError(
            f"{path}: its heads belong to another encoder than {frozen_path} ({config.encoder_fingerprint[:12]}…, not"
            f" {frozen.fingerprint[:12]}…); put the original file next to it"
        )
    heads = ProjectionHeads(config)
    load_strictly(heads, in_dtype(tensors, torch.float32), str(path))
    return ProjectedEncoder(frozen, heads.eval().requires_grad_(False).to(device))


def _file_of(encoder: str | Path) -> Path:
    if str(encoder) != MINILM:
        return bundled_or_path(encoder, "encoder.safetensors")
    if (path := shipped(_MINILM_FILE)) is None:
        raise InputError(f"--encoder {encoder}: {_MINILM_FILE} is not part of this installation; use tiny")
    return path


def _frozen_file(config: HeadsConfig, path: Path) -> Path:
    """The file of the encoder that the heads in ``path`` belong to: next to them, or where it was in training."""
    recorded = _file_of(config.encoder)
    found = next((each for each in (path.parent / recorded.name, recorded) if each.exists() and each != path), None)
    if found is None:
        raise InputError(f"{path}: its heads belong to {recorded}, which does not exist; put that file next to it")
    return found


def _minilm_in(
    tensors: dict[str, Any], metadata: dict[str, str], path: Path, device: str | torch.device, trust: bool
) -> MiniLMEncoder:
    """The tiny encoder next to a file of wordings, with MiniLM as its text side."""
    require_extra("minilm", f"--encoder {path.stem}")
    config = from_mapping(MiniLMConfig, described_config(metadata, path), str(path))
    tiny_path = path.with_name(ENCODER)
    if tiny_path == path:
        raise InputError(f"{path}: has the name of the encoder that it belongs to; rename it, and put that next to it")
    tiny = _encoder_in(*read_tensors(tiny_path, trust, mapped=True), tiny_path, None, device, trust)
    if not isinstance(tiny, TinyEncoder) or tiny.fingerprint != config.encoder_fingerprint:
        raise InputError(
            f"{path}: belongs to another encoder than {tiny_path} ({shown_hash(config.encoder_fingerprint)}; not"
            f" {tiny.fingerprint[:12]}…); put the original file next to it"
        )
    return MiniLMEncoder(tiny, reading_in(tensors, config, len(tiny.kinds), str(path)), MiniLM())


def _encoder_in(
    tensors: dict[str, Any],
    metadata: dict[str, str],
    path: Path,
    tokenizer: Path | str | None,
    device: str | torch.device,
    trust: bool,
) -> QueryEncoder:
    """The encoder that the content of a file is, heads excepted."""
    if metadata.get("format") == _MINILM_FORMAT:
        return _minilm_in(tensors, metadata, path, device, trust)
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
            " --tokenizer FOLDER, AudioSep's checkpoint, a file written by train --what encoder, or tiny"
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


def save_heads(path: Path | str, heads: ProjectionHeads) -> None:
    """Write projection heads with their configuration, atomically; the encoder that they belong to is not written."""
    write_safetensors(path, heads.state_dict(), {"format": _HEADS_FORMAT, "config": to_mapping(heads.config)})


def save_minilm_reading(path: Path | str, reading: KindReading) -> None:
    """Write the wordings of a tiny encoder's kinds, atomically; that encoder's file and MiniLM are not written."""
    tensors = {"wordings": reading.wordings.to(torch.float16), "owner": reading.owner.to(torch.int32)}
    write_safetensors(path, tensors, {"format": _MINILM_FORMAT, "config": to_mapping(reading.config)})
