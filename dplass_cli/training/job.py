"""What can be trained: a domain's adapter over the frozen base, a whole base, or a student of routed adapters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dplass_cli.adapters import AdapterSettings, adapted, make_adapters
from dplass_cli.adapters.adapter_folder import AdapterInfo, LoadedAdapter, save_adapter
from dplass_cli.adapters.injection import layer_settings, moved_statistics
from dplass_cli.audio.folders import audio_files
from dplass_cli.data.data_settings import DataSettings
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture
from dplass_cli.data.samples import SourceClip, TrainingSamples, captions_of_clips
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, save_base
from dplass_cli.models.resunet30 import ResUNet30Config, is_unread
from dplass_cli.options.parse import to_mapping
from dplass_cli.separation.bank import AdapterBank, bank_key
from dplass_cli.storage import Progress
from dplass_cli.training.module import Teacher
from dplass_cli.training.train_settings import TrainSettings
from dplass_cli.training.trainer import Trained, TrainingJob, ValidationMixtures
from dplass_cli.versions import versions


def check_samples(settings: DataSettings, config: ResUNet30Config) -> None:
    """Refuse settings of samples that a base cannot learn from, before anything is read.

    Raises:
        InputError: another rate, segments shorter than the transform, or a wrong folder of noise.
    """
    if settings.sampling_rate != config.sample_rate:
        raise InputError(
            f"data.sampling_rate is {settings.sampling_rate}, the base works at {config.sample_rate}; leave it out"
        )
    if settings.segment_samples <= config.n_fft // 2:  # the transform reflects so much at either end
        raise InputError(
            f"data.segment_seconds {settings.segment_seconds}: the base's transform needs more than"
            f" {config.n_fft / 2 / config.sample_rate:g} s; the published run took 2 s"
        )
    if settings.noise_dir is not None:
        audio_files(settings.noise_dir)


@dataclass(frozen=True)
class Queries:
    """The embeddings of all queries of a run, made once: the encoder is not needed in training.

    Attributes:
        table: float32 (N, D), embeddings of captions, then of clips.
        captions: {caption: its row}. clips: {clip: its row}.
    """

    table: Tensor
    captions: dict[str, int]
    clips: dict[Clip, int]


def embed_queries(
    rows: Sequence[Row], mixtures: Sequence[Mixture], encoder: QueryEncoder, cache: Path | None, progress: Progress
) -> Queries:
    """Embed each distinct caption of targets and validation mixtures; and each target clip where ``cache`` is given.

    A clip that cannot be read gets no audio embedding; training will say so when it meets it.

    Args:
        cache: folder of audio embeddings that are taken and kept.
    """
    captions = sorted({row.caption for row in rows} | {mixture.source.caption for mixture in mixtures})
    table = encoder.embed_text(captions)
    places: dict[Clip, int] = {}
    if cache is not None:
        clips = sorted({clip_of(row) for row in rows}, key=str)
        store = EmbeddingCache(cache, encoder)
        found = dict(embed_clips(clips, encoder, store, failed={}, progress=progress))
        places = {clip: len(captions) + number for number, clip in enumerate(found)}
        if found:
            table = torch.cat((table, torch.stack([torch.from_numpy(vector) for vector in found.values()])))
    return Queries(table, {caption: number for number, caption in enumerate(captions)}, places)


@dataclass(frozen=True)
class TrainingCorpus:
    """The rows and validation mixtures of each domain, and the embeddings of their queries."""

    rows: dict[int, list[Row]]
    mixtures: dict[int, list[Mixture]]
    queries: Queries

    def samples(self, domains: Sequence[int], settings: DataSettings, seed: int) -> TrainingSamples:
        """Training samples whose targets come from some domains.

        Raises:
            InputError: nothing to mix them with, or a wrong folder of noise.
        """
        said = captions_of_clips(row for rows in self.rows.values() for row in rows)
        sources = {
            domain: [
                SourceClip(
                    row,
                    said[row.id or row.wav],
                    (self.queries.captions[row.caption],) if domain in domains else (),
                    self.queries.clips.get(clip_of(row)),
                    domain,
                )
                for row in rows
            ]
            for domain, rows in self.rows.items()
        }
        if settings.noise_dir is not None:
            noise = [SourceClip(Row(path, "", id=str(path)), frozenset()) for path in audio_files(settings.noise_dir)]
            pools = dict.fromkeys(domains, noise)
        else:
            kinds = {"other": operator.ne, "same": operator.eq, "any": lambda mine, other: True}
            allowed: Callable[[int, int], bool] = kinds[settings.interference]
            pools = {
                domain: [source for other, items in sources.items() if allowed(domain, other) for source in items]
                for domain in domains
            }
        targets = [source for domain in domains for source in sources[domain]]
        return TrainingSamples(targets, pools, self.queries.table, settings, seed)

    def validation(self, domains: Sequence[int], sample_rate: int) -> ValidationMixtures:
        """The validation mixtures of some domains."""
        chosen = {domain: self.mixtures[domain] for domain in domains}
        embeddings = {
            mixture.source.caption: self.queries.table[self.queries.captions[mixture.source.caption]]
            for mixtures in chosen.values()
            for mixture in mixtures
        }
        return ValidationMixtures(chosen, embeddings, sample_rate)


@dataclass(frozen=True)
class Recipe:
    """What all jobs of a run share: the corpus, the base with its hash, the encoder's fingerprint, and settings."""

    corpus: TrainingCorpus
    network: BaseModel
    base_sha256: str
    encoder_fingerprint: str
    data: DataSettings
    train: TrainSettings

    def parts(self, domains: Sequence[int]) -> dict[str, Any]:
        """Samples and validation of a job on some domains."""
        return {
            "samples": self.corpus.samples(domains, self.data, self.train.random_seed),
            "validation": self.corpus.validation(domains, self.data.sampling_rate),
        }


@contextmanager
def adapter_job(
    recipe: Recipe, settings: AdapterSettings, domain: int, name: str, folders: Mapping[str, Path]
) -> Iterator[TrainingJob]:
    """The job of one domain's adapter; afterwards the base is what it was.

    Args:
        name: of the domain, for people.
        folders: {"best", "last": the adapter folder to write}.
    """
    network = recipe.network
    layers = layer_settings(network, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.random_seed)
        adapters = make_adapters(network, settings.method, layers)
    adapting = settings.batchnorm == "adapt"
    with adapted(network, adapters) as base_statistics:

        def export(which: Literal["best", "last"], reached: Trained) -> None:
            statistics = moved_statistics(network, base_statistics)
            assert adapting or not statistics, "training moved frozen batch-norm statistics"
            info = AdapterInfo(
                method=settings.method,
                layers=layers,
                base_sha256=recipe.base_sha256,
                architecture=to_mapping(network.config),
                encoder_fingerprint=recipe.encoder_fingerprint,
                domain={"id": domain, "name": name},
                batchnorm=settings.batchnorm,
                dtype=settings.dtype,
                training={
                    **to_mapping(recipe.train),
                    "data": to_mapping(recipe.data),
                    "steps": reached.steps,
                    "which": which,
                },
                metrics={
                    "val_sdri": reached.best_sdri,
                    "val_si_sdr": reached.best_si_sdr,
                    "val_mixtures": reached.validation_mixtures,
                },
                versions=versions(),
            )
            save_adapter(folders[which], LoadedAdapter(adapters, statistics, info))

        yield TrainingJob(
            bank_key(domain), network, export=export, moving_statistics=adapting, **recipe.parts([domain])
        )
        network.cpu()


@contextmanager
def network_job(
    recipe: Recipe, name: str, domains: Sequence[int], files: Mapping[str, Path], teacher: Teacher | None = None
) -> Iterator[TrainingJob]:
    """The job of a whole network, on all domains at once.

    Args:
        files: {"best", "last": the safetensors file to write}.
        teacher: what a student learns from; None trains on the true targets.
    """
    network = recipe.network
    # What no forward reads stays as it is; several devices would wait for its gradient.
    for key, parameter in network.named_parameters():
        parameter.requires_grad_(not is_unread(key))

    def export(which: Literal["best", "last"], reached: Trained) -> None:
        save_base(files[which], network, recipe.encoder_fingerprint)

    yield TrainingJob(name, network, export=export, moving_statistics=True, teacher=teacher, **recipe.parts(domains))
    network.cpu().requires_grad_(False)


class RoutedTeacher:
    """Separates each item with the adapter of its domain: what one student learns to do without adapters.

    The domain is the row's own; where the bank has no adapter of it, the base serves.

    Args:
        load: loads the bank onto a device; called when the first batch tells which.
    """

    def __init__(self, load: Callable[[torch.device], AdapterBank]) -> None:
        self._load = load
        self._bank: AdapterBank | None = None

    @torch.no_grad()
    def __call__(self, mixture: Tensor, condition: Tensor, domain: Tensor) -> Tensor:
        """Separate (B, 1, T) for queries (B, D) of domains int64 (B,): (B, 1, T)."""
        self._bank = self._bank or self._load(mixture.device)
        output = torch.empty_like(mixture)
        for number in sorted(set(domain.tolist())):
            key = bank_key(number)
            self._bank.activate(key if key in self._bank.keys else None)
            items = (domain == number).nonzero()[:, 0]
            output[items] = self._bank.network(mixture[items], condition[items]).to(output.dtype)
        return output
