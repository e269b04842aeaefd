"""The training data of a run: rows and validation mixtures by domain, and the embeddings of their queries."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dplass_cli.audio.folders import readable_files
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, render
from dplass_cli.data.ontology import kinds_of, kinds_of_clips
from dplass_cli.data.samples import SourceClip, TrainingSamples
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache, embedding_key
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.network_settings import NetworkConfig
from dplass_cli.storage import Progress

_TEXT_BATCH = 256
_CACHED_MIB = 512  # of rendered mixtures; every epoch asks for the same ones


def check_data_settings(settings: DataSettings, config: NetworkConfig) -> None:
    """Check that a network can learn from samples made with these settings, before any audio is read.

    Raises:
        InputError: another sample rate, segments shorter than the transform's padding, or a bad folder of noise or of
            impulse responses.
    """
    if settings.sampling_rate != config.sample_rate:
        raise InputError(
            f"data.sampling_rate is {settings.sampling_rate}, the network works at {config.sample_rate}; set it to"
            f" {config.sample_rate}"
        )
    if settings.segment_samples <= config.n_fft // 2:  # reflection padding needs more than n_fft / 2 samples
        raise InputError(
            f"data.segment_seconds {settings.segment_seconds}: the network's transform needs more than"
            f" {config.n_fft / 2 / config.sample_rate:g} s; the published run used 2 s"
        )
    if settings.noise_dir is not None:
        readable_files(settings.noise_dir)
    if settings.augment.reverberation is not None:
        readable_files(settings.augment.reverberation.folder)


def embed_queries(
    rows: Sequence[Row],
    mixtures: Sequence[Mixture],
    encoder: QueryEncoder,
    cache: Path | None,
    progress: Progress,
    interferers: Sequence[Row] = (),
    caption_cache: Path | None = None,
) -> tuple[Tensor, dict[str | Clip, int]]:
    """Embed each distinct caption of targets and validation mixtures once; with a cache folder each target clip too.

    A clip that cannot be read has no audio embedding; training reports the file when it draws it.

    Args:
        rows: the targets.
        mixtures: the validation mixtures.
        encoder: embeds them.
        cache: folder of audio embeddings; None: no clips are embedded.
        progress: receives the clips done.
        interferers: rows whose captions are compared with the targets'.
        caption_cache: folder where the embeddings of many captions are kept; None: they are not.

    Returns:
        float32 (N, D), and {caption or clip: its row in that table}.
    """
    said = (*rows, *interferers, *(mixture.source for mixture in mixtures))
    captions = sorted({row.caption for row in said})
    table = _embed_captions(captions, encoder, caption_cache, progress)
    index: dict[str | Clip, int] = {caption: number for number, caption in enumerate(captions)}
    if cache is not None:
        clips = sorted({clip_of(row) for row in rows}, key=str)
        embedded = dict(embed_clips(clips, encoder, EmbeddingCache(cache, encoder), failed={}, progress=progress))
        index |= {clip: len(captions) + number for number, clip in enumerate(embedded)}
        if embedded:
            table = torch.cat((table, torch.stack([torch.from_numpy(vector) for vector in embedded.values()])))
    return table, index


def _embed_captions(captions: Sequence[str], encoder: QueryEncoder, folder: Path | None, progress: Progress) -> Tensor:
    """Embed captions: float32 (N, D). Many of them take minutes, so they are kept for the other jobs of a run."""
    if folder is None or len(captions) <= _TEXT_BATCH:
        return encoder.embed_text(captions)
    cache, parts = EmbeddingCache(folder, encoder), []
    for first in range(0, len(captions), _TEXT_BATCH):
        progress(first, len(captions), "embedding captions")
        keys = {embedding_key("caption", caption): caption for caption in captions[first : first + _TEXT_BATCH]}
        cache.refresh()  # another job may have been here first
        found = dict(zip(keys, cache.get(list(keys)), strict=True))
        absent = [key for key, vector in found.items() if vector is None]
        if absent:
            vectors = encoder.embed_text([keys[key] for key in absent]).numpy()
            cache.add(absent, vectors)
            found.update(zip(absent, vectors, strict=True))
        parts.append(np.stack([vector for vector in found.values() if vector is not None]))
    return torch.from_numpy(np.concatenate(parts))


class ValidationMixtures(Dataset[dict[str, Any]]):
    """Mixtures by domain with their captions' embeddings (D,). Rendered mixtures are cached up to 512 MiB.

    An item is ``{"mixture": float32 (T,), "target": float32 (T,), "condition": float32 (D,), "domain": int}``; with
    several channels, the audio is (C, T).
    """

    def __init__(
        self,
        mixtures: Mapping[int, Sequence[Mixture]],
        embeddings: dict[str, Tensor],
        sample_rate: int,
        channels: int = 1,
    ) -> None:
        self.items = [(domain, mixture) for domain, items in mixtures.items() for mixture in items]
        self.embeddings, self.sample_rate, self.channels = embeddings, sample_rate, channels
        self._rendered: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index in self._rendered:
            return self._rendered[index]
        domain, mixture = self.items[index]
        mixed, target = render(mixture, self.sample_rate, channels=self.channels)
        item = {
            "mixture": torch.from_numpy(mixed),
            "target": torch.from_numpy(target),
            "condition": self.embeddings[mixture.source.caption],
            "domain": domain,
        }
        if len(self._rendered) * 2 * mixed.nbytes < _CACHED_MIB * 2**20:
            self._rendered[index] = item
        return item


@dataclass(frozen=True)
class TrainingCorpus:
    """The data of all jobs of a run.

    Attributes:
        rows: {domain: its rows}. Domains that are not trained are interference for the others.
        mixtures: {domain: its validation mixtures}.
        embeddings: float32 (N, D), one per query.
        index: {caption or clip: its row in ``embeddings``}, as :func:`embed_queries` returns it.
        settings: how samples are made.
        seed: of the samples.
    """

    rows: dict[int, list[Row]]
    mixtures: dict[int, list[Mixture]]
    embeddings: Tensor
    index: dict[str | Clip, int]
    settings: DataSettings
    seed: int

    def samples(self, domains: Sequence[int], channels: int = 1) -> TrainingSamples:
        """Training samples whose targets come from these domains, with a number of channels.

        Raises:
            InputError: there is nothing to mix a target with, or a bad folder of noise or of impulse responses.
        """
        kinds = kinds_of_clips(row for rows in self.rows.values() for row in rows)
        captions = self._captions_of_clips()
        sources = {
            domain: [
                SourceClip(
                    row,
                    kinds[row.id, row.wav],
                    (self.index[row.caption],) if domain in domains else (),
                    self.index.get(clip_of(row)),
                    domain,
                    captions.get((row.id, row.wav), ()),
                )
                for row in rows
            ]
            for domain, rows in self.rows.items()
        }
        if self.settings.noise_dir is not None:
            paths = readable_files(self.settings.noise_dir)
            noise = [SourceClip(Row(path, "", id=str(path)), kinds_of(())) for path in paths]
            pools = dict.fromkeys(domains, noise)
        else:
            rules: dict[str, Callable[[int, int], bool]] = {
                "other": operator.ne,
                "same": operator.eq,
                "any": lambda target, interferer: True,
            }
            allowed = rules[self.settings.interference]
            pools = {
                domain: [source for other, items in sources.items() if allowed(domain, other) for source in items]
                for domain in domains
            }
        targets = [source for domain in domains for source in sources[domain]]
        return TrainingSamples(targets, pools, self.embeddings, self.settings, self.seed, channels)

    def _captions_of_clips(self) -> dict[tuple[str, Path], tuple[int, ...]]:
        """The rows in ``embeddings`` of all captions of each clip; empty where captions are not compared."""
        if self.settings.semantic_filter is None or self.settings.noise_dir is not None:
            return {}
        found: dict[tuple[str, Path], tuple[int, ...]] = {}
        once: dict[tuple[int, ...], tuple[int, ...]] = {}  # millions of clips have few sets of captions
        for row in chain.from_iterable(self.rows.values()):
            clip, caption = (row.id, row.wav), self.index[row.caption]
            if caption not in (known := found.get(clip, ())):
                found[clip] = once.setdefault((*known, caption), (*known, caption))
        return found

    def validation(self, domains: Sequence[int], channels: int = 1) -> ValidationMixtures:
        """The validation mixtures of these domains, with a number of channels."""
        chosen = {domain: self.mixtures[domain] for domain in domains}
        embeddings = {
            mixture.source.caption: self.embeddings[self.index[mixture.source.caption]]
            for mixtures in chosen.values()
            for mixture in mixtures
        }
        return ValidationMixtures(chosen, embeddings, self.settings.sampling_rate, channels)
