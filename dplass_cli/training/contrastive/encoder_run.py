"""A run of ``train --what encoder``: its clips, the encoder that it trains, and the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.devices import process_rank
from dplass_cli.domains.features import rows_sha256
from dplass_cli.domains.validation import split_rows
from dplass_cli.encoders import BUNDLED, ProjectedEncoder, QueryEncoder, TinyEncoder, load_encoder_of
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.encoders.projection_heads import ProjectionHeads
from dplass_cli.errors import InputError
from dplass_cli.options.encoder_settings import HeadsConfig
from dplass_cli.storage import Progress
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.contrastive.clip_samples import (
    CaptionedClips,
    ClipInputs,
    ClipSamples,
    FrozenEmbeddings,
    MelCrops,
    ValidationClips,
    captioned_clips,
)
from dplass_cli.training.contrastive.contrastive_module import ContrastiveJob, ContrastiveModule
from dplass_cli.training.contrastive.pairs import AudioTowerPair, HeadPair, TowerPair, TrainedPair
from dplass_cli.training.hardware import lightning_devices, world_size
from dplass_cli.training.job import Which
from dplass_cli.training.train_result import PlannedJob, Trained, TrainResult
from dplass_cli.training.trainer import JobTrainer
from dplass_cli.training.training_run import check_choices, plan_job
from dplass_cli.training.workspace import Workspace
from dplass_cli.weights.named_models import resolve_model

if TYPE_CHECKING:
    from dplass_cli.options.train_options import TrainOptions

JOB = "encoder"
VALIDATION = "validation.json"
"""The manifest of the clips that were held out for validation, in the workspace."""

_DEV_RUN_CLIPS = 8  # of --fast-dev-run, for validation


class EncoderRun:
    """A training of a query encoder. Everything is read and checked here, before anything is written.

    Args:
        options: of ``train``.

    Attributes:
        workspace: folder of the run.

    Raises:
        InputError: a bad option or manifest, or an encoder that cannot be trained so.
    """

    def __init__(self, options: TrainOptions) -> None:
        self.options, self.workspace = options, Workspace(options.workspace)
        check_choices(options)
        if options.partition.is_dir():
            raise InputError(f"--data {options.partition}: is a folder; --what encoder needs a manifest of clips")
        self._training, self._validation = self._read_rows()
        self._world_size = world_size(lightning_devices(options))
        self._given = ""  # the fingerprint of an encoder that is trained further, or under heads
        self._encoder = self._trained_encoder()

    def unfinished(self) -> list[str]:
        """The name of the job, unless an earlier run in this workspace has finished it."""
        finished = self.options.resume and self.workspace.is_finished(JOB, self.options.train)
        return [] if finished else [JOB]

    def inputs(self) -> dict[str, str]:
        """Hashes of what the training reads: {what: hash}."""
        clips = {"manifest": rows_sha256([*self._training, *self._validation])}
        return {"encoder": self._given, **clips} if self._given else clips

    def plan(self) -> tuple[PlannedJob, ...]:
        """What the job would do."""
        trained = self._encoder.heads if isinstance(self._encoder, ProjectedEncoder) else self._encoder
        if self.options.contrastive.parts == "audio" and isinstance(trained, TinyEncoder):
            parameters = sum(parameter.numel() for parameter in trained.audio.parameters())
        else:
            parameters = sum(parameter.numel() for parameter in trained.parameters()) + 1  # the temperature
        clips, validation = len(captioned_clips(self._training)), len(captioned_clips(self._validation))
        return (plan_job(JOB, clips, validation, parameters, self.options.train, self._world_size),)

    def train_unfinished(self, prepare: Callable[[], None], progress: Progress, report: EpochReport) -> None:
        """Train, unless that is done; ``prepare`` is for runs with processes of their own."""
        self.train(self.unfinished(), progress, report)

    def train(self, names: Sequence[str], progress: Progress, report: EpochReport = no_report) -> None:
        """Train in this process if the job is among ``names``; errors are those of :meth:`JobTrainer.fit`."""
        if not names:
            return
        first = process_rank(self.options.num_nodes) == 0
        if first and self.options.contrastive.validation is None and self._validation:
            write_manifest(self.workspace.folder / VALIDATION, self._validation)
        job = self._job(progress)
        trained = JobTrainer(job, self.options, progress, report, ContrastiveModule).fit(self.options.resume)
        if first:
            self.workspace.mark_finished(JOB, self.options.train, trained)

    def result(self) -> TrainResult:
        """What is trained by now, by this run and earlier ones."""
        return TrainResult(self._file("best"), network=self.workspace.outcome(JOB))

    def _file(self, which: Which) -> Path:
        return self.options.workspace / {"best": f"{JOB}.safetensors", "last": f"{JOB}_last.safetensors"}[which]

    def _read_rows(self) -> tuple[list[Row], list[Row]]:
        """The rows to train on, and those to validate on; no clip id is in both of a split manifest."""
        options, settings = self.options, self.options.contrastive
        rows = read_manifest(options.partition)
        if settings.validation is not None:
            return rows, read_manifest(settings.validation)
        if not settings.validation_share:
            return rows, []
        split = split_rows({0: rows}, settings.validation_share, options.train.random_seed)
        return split.training[0], split.validation[0]

    def _trained_encoder(self) -> TinyEncoder | ProjectedEncoder:
        """The encoder to train: new towers, those of the given encoder, or new heads over it."""
        options, parts = self.options, self.options.contrastive.parts
        if options.towers is not None:
            if options.towers.kinds:
                raise InputError("towers.kinds: new towers have no anchors of kinds; leave it out")
            if parts in ("heads", "audio"):
                raise InputError(f"contrastive.parts {parts}: cannot be trained with new towers; leave out towers.…")
            with self._seeded():
                return TinyEncoder(options.towers)
        encoder = load_encoder_of(options.model)
        self._given = encoder.fingerprint
        if isinstance(encoder, TinyEncoder) and parts != "heads":
            return encoder
        if parts in ("towers", "audio"):
            raise InputError(
                f"contrastive.parts {parts}: of the {encoder.name} encoder, only heads can be trained; use heads"
            )
        if not encoder.embeds_audio:
            raise InputError(f"--encoder: the {encoder.name} encoder does not embed sounds; train another one")
        return encoder if isinstance(encoder, ProjectedEncoder) else self._with_heads(encoder)

    def _with_heads(self, frozen: QueryEncoder) -> ProjectedEncoder:
        model = resolve_model(self.options.model)
        source = str(model.encoder or model.base)
        file = source if source in BUNDLED else str(Path(source).absolute())
        config = HeadsConfig(frozen.size, self.options.contrastive.head_hidden, file, frozen.fingerprint)
        with self._seeded():
            return ProjectedEncoder(frozen, ProjectionHeads(config))

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Draw new weights by the seed of the run."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.train.random_seed)
            yield

    def _job(self, progress: Progress) -> ContrastiveJob:
        options, settings = self.options, self.options.contrastive
        training, validation = captioned_clips(self._training), captioned_clips(self._validation)
        data = replace(options.data, sampling_rate=self._encoder.sample_rate, segment_seconds=settings.segment_seconds)
        if isinstance(self._encoder, ProjectedEncoder):
            pair, inputs = self._heads(self._encoder, training, validation, progress)
        else:
            make_pair = AudioTowerPair if settings.parts == "audio" else TowerPair
            pair = make_pair(self._encoder, training.captions, settings.temperature)
            readers = max(1, options.train.num_workers) * max(1, options.num_gpus)
            inputs = MelCrops(self._encoder.config, data, settings.augment, readers)
        if settings.average:
            pair.keep_average(settings.average)
        # Captions with fixed embeddings are all compared: none of a clip's own may count as another's.
        drawn = len(training.captions) if settings.parts == "audio" else settings.captions_per_clip

        def export(which: Which, trained: Trained) -> None:
            with pair.averaged():
                pair.save(self._file(which))

        return ContrastiveJob(
            JOB,
            pair,
            ClipSamples(training, inputs, drawn, data, options.train.random_seed),
            ValidationClips(validation, _DEV_RUN_CLIPS if options.fast_dev_run else None),
            export,
            adapt_batchnorm=True,
            hard_negatives=settings.hard_negatives,
            label_smoothing=settings.label_smoothing,
        )

    def _heads(
        self, encoder: ProjectedEncoder, training: CaptionedClips, validation: CaptionedClips, progress: Progress
    ) -> tuple[TrainedPair, ClipInputs]:
        """Embed all clips with the frozen encoder, once."""
        cache = EmbeddingCache(self.options.cache or self.workspace.folder / "embeddings", encoder.frozen)
        failed: dict[Clip, str] = {}
        clips = list(dict.fromkeys((*training.of, *validation.of)))
        vectors = dict(embed_clips(clips, encoder.frozen, cache, failed=failed, progress=progress))
        pair = HeadPair(encoder, training.captions, self.options.contrastive.temperature, vectors, failed)
        return pair, FrozenEmbeddings(vectors, failed)
