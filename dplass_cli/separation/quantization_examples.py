"""Mixtures on which a network is quantised: of the built-in sounds, or of a manifest's clips."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from dplass_cli import sounds
from dplass_cli.audio.level import array_normalization
from dplass_cli.audio.reading import Audio, fit_length, read_channels
from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.mixer import mix_at_snr
from dplass_cli.encoders import QueryEncoder
from dplass_cli.encoders.source_names import SourceNamesEncoder
from dplass_cli.errors import InputError
from dplass_cli.models.quantization import QuantizationExamples
from dplass_cli.options.network_settings import NetworkConfig

BUILT_IN = "built-in"
"""The value of ``--calibrate`` that stands for the built-in sounds."""

_COUNT = 48  # mixtures: half of them calibrate, half validate
_SECONDS = 2.56
_SNR_DB = (-5.0, 5.0)
_SEED = 3000  # the built-in corpus uses other seeds for training and evaluation
_TRIES = 20 * _COUNT  # clips may be silent, or have the same caption

_Pair = tuple[str, Audio, Audio]
"""The query, the target and the interferer, float32 (C, T)."""


def quantization_examples(source: str, encoder: QueryEncoder, config: NetworkConfig) -> QuantizationExamples:
    """Draw mixtures of two sounds; the same ones for the same arguments.

    Args:
        source: ``built-in``, or the path of a manifest.
        encoder: embeds the queries.
        config: of the network that is quantised: its sample rate, channels and input level.

    Raises:
        InputError: the manifest cannot be read, its clips make no mixtures, or the encoder cannot embed the captions.
    """
    rate, rng = config.sample_rate, random.Random(_SEED)
    pairs = _built_in_pairs(config, encoder, rng) if source == BUILT_IN else _manifest_pairs(Path(source), config, rng)
    queries, mixtures = [], []
    for query, target, other in islice(pairs, _COUNT):
        one, two = (torch.from_numpy(audio).reshape(1, -1) for audio in (target, other))  # all channels have one gain
        mixed, _ = mix_at_snr(one, two, torch.tensor([rng.uniform(*_SNR_DB)]))
        mixture = mixed.reshape(target.shape)
        level = array_normalization(mixture.numpy(), rate, config.input_level_db)
        queries.append(query)
        mixtures.append(level.apply(mixture))
    if len(queries) < 2:
        raise InputError(f"--calibrate {source}: no mixtures; give clips of at least two sounds that are not silent")
    try:
        conditions = encoder.embed_text(queries)
    except InputError as error:
        raise InputError(f"--calibrate {source}: {error}, in a manifest of such clips") from error
    return QuantizationExamples(torch.stack(mixtures), conditions)


def _built_in_pairs(config: NetworkConfig, encoder: QueryEncoder, rng: random.Random) -> Iterator[_Pair]:
    """Sounds of two groups, one asked for by its caption; music for an encoder of source names, one asked for."""
    names = encoder.kinds if isinstance(encoder, SourceNamesEncoder) else ()
    catalogue = [kind for kind in sounds.CATALOGUE if kind.group == "music" or not names]
    while True:
        kinds = rng.sample(catalogue, 2)
        if names or kinds[0].group != kinds[1].group:
            mono = (sounds.render(kind.name, _SEED, _SECONDS, config.sample_rate)[None] for kind in kinds)
            target, other = (np.repeat(audio, config.audio_channels, axis=0) for audio in mono)
            yield rng.choice(names) if names else kinds[0].captions[0], target, other


def _manifest_pairs(manifest: Path, config: NetworkConfig, rng: random.Random) -> Iterator[_Pair]:
    rows, rate = read_manifest(manifest), config.sample_rate
    length = round(_SECONDS * rate)
    for _ in range(_TRIES):
        pair = rng.choices(rows, k=2)
        if pair[0].caption != pair[1].caption:
            target, other = (
                fit_length(read_channels(row.wav, rate, config.audio_channels, row.start, row.end), length)
                for row in pair
            )
            if target.any() and other.any():
                yield pair[0].caption, target, other
