"""A run of ``train``: which jobs there are, on which data and devices, what an earlier run finished, and the result.

Per domain: draw mixtures whose target comes from the domain, train an adapter on them over the frozen base, add it to
the bank. ``base`` and ``distil`` are one job on all domains instead.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dplass_cli.adapters import make_adapters
from dplass_cli.adapters.adapter_folder import AdapterInfo
from dplass_cli.adapters.bank_folder import bank_key, measured_gains, write_partition_bank
from dplass_cli.adapters.injection import find_method, layer_settings
from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.mixture_tables import Mixture, read_mixtures
from dplass_cli.devices import launched_together, process_rank, require_launcher
from dplass_cli.domains.partition_folder import Partition, read_partition
from dplass_cli.encoders import load_encoder_of, space_of
from dplass_cli.errors import InputError, check_choice
from dplass_cli.models import BaseModel, in_fast_order, make_network
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.options.network_settings import NetworkConfig
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.resources import bundled_encoder, shown_hash
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.storage import Progress, read_text, resolved, text_sha256
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.corpus import TrainingCorpus, check_data_settings, embed_queries
from dplass_cli.training.distillation import Route, RoutedTeacher, check_student, check_teacher, inherit, make_route
from dplass_cli.training.given_adapters import check_start
from dplass_cli.training.hardware import count_gpus, lightning_devices, parallel_devices, world_size
from dplass_cli.training.job import TrainingJob, Which, adapter_job, network_job
from dplass_cli.training.losses import make_loss
from dplass_cli.training.optimizers import check_names
from dplass_cli.training.process_pool import run_in_processes
from dplass_cli.training.train_result import PlannedJob, TrainResult
from dplass_cli.training.trainer import JobTrainer
from dplass_cli.training.workspace import Workspace
from dplass_cli.versions import versions

if TYPE_CHECKING:
    from dplass_cli.options.train_options import TrainOptions

_log = logging.getLogger(__name__)

_NETWORK_JOBS = {"base": "base", "distil": "student"}
_DEV_RUN_BATCHES, _DEV_RUN_MIXTURES = 3, 2  # of --fast-dev-run


class TrainingRun:
    """One run of ``train``. Everything is read and checked here, before anything is written.

    Args:
        options: of ``train``.

    Attributes:
        workspace: folder of the run.
        partition: the domains.
        jobs: {job name: the domains that it trains on}: a job per domain, or one for a whole network.
        skipped: ids of domains without clips.

    Raises:
        InputError: a bad option, partition, base or encoder.
    """

    def __init__(self, options: TrainOptions) -> None:
        self.options, self.workspace = options, Workspace(options.workspace)
        self.partition = read_partition(options.partition)
        if resolved(options.workspace) == resolved(options.partition):
            raise InputError(f"--workspace {options.workspace}: is the partition folder; choose another folder")
        domains, self.skipped = _choose_domains(options.domain, self.partition)
        self.jobs = {bank_key(domain): [domain] for domain in domains}
        if options.what != "adapters":
            self.jobs = {_NETWORK_JOBS[options.what]: domains}
        require_launcher(options.num_nodes)
        self._world_size = world_size(lightning_devices(options))
        check_choices(options)
        # torch, not a faster backend: such a backend takes over after some work, so a resumed run would be validated
        # by torch where the original was validated by the backend.
        self._models = self._load_models(replace(options.model, device="cpu", backend="torch"))
        if self.partition.encoder_fingerprint != space_of(self._models.encoder):
            raise InputError(
                f"{options.partition}: made with another encoder ({self.partition.encoder_name},"
                f" {shown_hash(self.partition.encoder_fingerprint)}); name its model, or partition"
                " again with the base's encoder"
            )
        if options.what == "distil":
            check_teacher(options.distil.select, self._models.bank, self.partition, domains)
            check_student(self._network_config(), self._models.network.config)
        check_data_settings(options.data, self._network_config())
        self._layers = layer_settings(self._models.network, options.adapter)  # checks the adapter's targets
        if options.what == "adapters" and options.adapters:
            check_start(self._models.bank, self.partition, domains, options.adapter, self._layers)
        self._trained_here = set(self.unfinished())

    def _load_models(self, model: ModelSpec) -> Models:
        """The base that is trained or adapted and its encoder; for ``distil`` also the teachers."""
        options = self.options
        if options.what == "distil":
            return load_models(model, keep=False)
        if options.what == "adapters" or options.network is None:
            model = replace(model, adapters=options.adapters or ())  # None: new adapters, not the bundled ones
            return load_models(model, keep=False, any_encoder=options.what == "base")
        # A new network belongs to the encoder of the partition, whatever the base, which is not used, was trained with.
        if model.encoder is not None:
            model = replace(model, encoder=bundled_encoder(str(model.encoder), self.partition.encoder_fingerprint))
        encoder = load_encoder_of(model)
        network = self._new_network(options.network, encoder.size)
        return Models(network, encoder, AdapterBank(network))

    def unfinished(self) -> list[str]:
        """Names of the jobs that no earlier run in this workspace has finished."""
        resume, settings = self.options.resume, self.options.train
        return [name for name in self.jobs if not (resume and self.workspace.is_finished(name, settings))]

    def devices(self) -> list[str]:
        """Devices for training domains in parallel; fewer than two mean one domain after another."""
        options = self.options
        uses_one_process = options.strategy != "auto" or options.num_gpus == 1
        count = options.parallel or (1 if uses_one_process else count_gpus(options.device, options.num_gpus))
        count = min(count, len(self.unfinished()))
        if options.what != "adapters" or launched_together() or options.num_nodes > 1 or count < 2:
            return []
        return parallel_devices(options.device, options.num_gpus, count)

    def inputs(self) -> dict[str, str]:
        """Hashes of what the training reads: {what: hash}."""
        domains = [[domain.id, *domain.captions] for domain in self.partition.domains]
        read = {
            "encoder": space_of(self._models.encoder),
            "partition": text_sha256(json.dumps([self.partition.rows_sha256, *domains])),
        }
        if self.options.what == "base" and self.options.network is not None:  # new weights, drawn by the seed
            return read
        return {"base": self._models.bank.base_sha256, **read}

    def plan(self) -> tuple[PlannedJob, ...]:
        """What each job would do."""
        return tuple(self._plan_job(name, domains) for name, domains in self.jobs.items())

    def _plan_job(self, name: str, domains: Sequence[int]) -> PlannedJob:
        partition = self.options.partition
        rows = sum(len(read_manifest(partition / f"domain{domain}.json")) for domain in domains)
        mixtures = sum(len(self._validation_mixtures(domain)) for domain in domains)
        world = 1 if self.devices() else self._world_size
        return plan_job(name, rows, mixtures, self._count_parameters(), self.options.train, world)

    def _count_parameters(self) -> int:
        if self.options.what == "adapters":
            adapters = make_adapters(self._models.network, self.options.adapter.method, self._layers)
            return sum(parameter.numel() for adapter in adapters.values() for parameter in adapter.parameters())
        network = self._network()
        return sum(parameter.numel() for name, parameter in network.named_parameters() if not network.is_unread(name))

    def train(self, names: Sequence[str], progress: Progress, report: EpochReport = no_report) -> None:
        """Train jobs one after another in this process; errors are those of :meth:`JobTrainer.fit`."""
        if not names:
            return
        options = self.options
        if process_rank(self.options.num_nodes) == 0:
            self._check_banks()
        corpus, network = self._read_corpus(progress), self._network()
        for name in names:
            with self._job(name, corpus, network) as job:
                trained = JobTrainer(job, options, progress, report).fit(options.resume)
            if process_rank(self.options.num_nodes) == 0:
                # The bank first: a kill in between repeats a job, where a finished job without adapter would be lost.
                self.write_banks()
                self.workspace.mark_finished(name, options.train, trained)

    def train_unfinished(self, prepare: Callable[[], None], progress: Progress, report: EpochReport) -> None:
        """Train all unfinished jobs: domains in parallel on several devices, where ``prepare`` is called first."""
        devices = self.devices()
        if len(devices) > 1:
            self.train_in_processes(devices, prepare, progress)
        else:
            self.train(self.unfinished(), progress, report)
        self.write_banks()  # each of the parallel processes described only its own adapter

    def train_in_processes(self, devices: Sequence[str], prepare: Callable[[], None], progress: Progress) -> None:
        """Train the unfinished domains in parallel, each in its own process, where ``prepare`` is called first.

        Raises:
            RunError: some domains failed; the others are trained.
        """
        threads = max(1, torch.get_num_threads() // len(devices))
        jobs = {name: replace(self.options, domain=str(self.jobs[name][0])) for name in self.unfinished()}
        run_in_processes(partial(_train_domain, prepare, threads), jobs, devices, progress)

    def write_banks(self) -> None:
        """Describe the adapters that exist by now, so that an interrupted run leaves a usable bank."""
        base, settings = self._models.bank.base_sha256, to_mapping(self.options.adapter)
        with self.workspace.bank_lock():
            for bank in self._banks:
                write_partition_bank(bank, self.partition, base, self._trained_here, settings=settings)

    def _check_banks(self) -> None:
        """Refuse a damaged bank before a domain is trained for it."""
        with self.workspace.bank_lock():
            for bank in self._banks:
                measured_gains(bank, self._trained_here)

    @property
    def _banks(self) -> tuple[Path, ...]:
        """The bank folders that the run writes."""
        return (self.workspace.bank, self.workspace.last_bank) if self.options.what == "adapters" else ()

    def result(self) -> TrainResult:
        """What is trained by now, by this run and earlier ones."""
        outcomes = {name: trained for name in self.jobs if (trained := self.workspace.outcome(name))}
        if self.options.what == "adapters":
            domains = {self.jobs[name][0]: trained for name, trained in outcomes.items()}
            return TrainResult(self.workspace.bank, domains, skipped=self.skipped)
        (name,) = self.jobs
        output = self.options.workspace / f"{name}.safetensors"
        return TrainResult(output, network=outcomes.get(name), skipped=self.skipped)

    def _job(self, name: str, corpus: TrainingCorpus, network: BaseModel) -> AbstractContextManager[TrainingJob]:
        options, workspace = self.options, self.options.workspace
        fingerprint = space_of(self._models.encoder)
        if options.what != "adapters":
            return network_job(
                network,
                corpus,
                name,
                self.jobs[name],
                fingerprint,
                {"best": workspace / f"{name}.safetensors", "last": workspace / f"{name}_last.safetensors"},
                self._teacher(network) if options.what == "distil" else None,
                options.distil.target_share,
            )
        (number,) = self.jobs[name]
        start = self._models.bank.get(name) if options.adapters else None
        info = AdapterInfo(
            method=options.adapter.method,
            layers=self._layers,
            base_sha256=self._models.bank.base_sha256,
            architecture=to_mapping(network.config),
            encoder_fingerprint=fingerprint,
            domain={"id": number, "name": next(d.name for d in self.partition.domains if d.id == number)},
            batchnorm=options.adapter.batchnorm,
            dtype=options.adapter.dtype,
            training={
                **to_mapping(options.train),
                "data": to_mapping(options.data),
                **({"trained_before": start.info.training} if start else {}),
            },
            versions=versions(),
        )
        folders: dict[Which, Path] = {"best": self.workspace.bank / name, "last": self.workspace.last_bank / name}
        return adapter_job(network, corpus, number, info, folders, start)

    def _teacher(self, student: BaseModel) -> RoutedTeacher:
        def load(device: torch.device) -> AdapterBank:
            return load_models(replace(self.options.model, device=str(device), backend="torch")).bank

        def route(bank: AdapterBank) -> Route:
            return make_route(self.options.distil.select, bank, self._models.encoder)

        return RoutedTeacher(load, route, student.config.input_level_db)

    def _network_config(self) -> NetworkConfig:
        """The configuration of the network to train or to put adapters on."""
        options, base = self.options, self._models.network.config
        if options.what == "adapters":
            return base
        if options.what == "distil" and options.distil.width != 1.0:
            return base.scaled(options.distil.width)
        return base if options.network is None else options.network

    def _network(self) -> BaseModel:
        """The network to train or to put adapters on: the base, or a new one where the options describe another."""
        config = self._network_config()
        size, base = self._models.encoder.size, self._models.network
        if config is base.config and config.condition_size == size:
            return base
        network = self._new_network(config, size)
        if self.options.what == "distil":
            inherit(network, base)
        return network

    def _new_network(self, config: NetworkConfig, size: int) -> BaseModel:
        """A network with random weights, for embeddings of a length."""
        if config.condition_size != size:
            raise InputError(
                f"network.condition_size {config.condition_size}: condition_size must be the encoder's {size}; set it"
                f" to {size}"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.train.random_seed)
            return in_fast_order(make_network(config))

    def _read_corpus(self, progress: Progress) -> TrainingCorpus:
        options = self.options
        domains = sorted({domain for trained_on in self.jobs.values() for domain in trained_on})
        rows = {
            domain.id: read_manifest(options.partition / f"domain{domain.id}.json")
            for domain in self.partition.domains
            if domain.clips
        }
        mixtures = {domain: self._validation_mixtures(domain) for domain in domains}
        if options.fast_dev_run:
            mixtures = {domain: items[:_DEV_RUN_MIXTURES] for domain, items in mixtures.items()}
        folder = options.cache or options.workspace / "embeddings"
        compared = options.data.semantic_filter is not None and options.data.noise_dir is None
        embeddings, index = embed_queries(
            [row for domain in domains for row in rows[domain]],
            [mixture for items in mixtures.values() for mixture in items],
            self._models.encoder,
            folder if options.data.use_text_ratio < 1 else None,
            progress,
            interferers=[row for items in rows.values() for row in items] if compared else (),
            caption_cache=folder,
        )
        return TrainingCorpus(rows, mixtures, embeddings, index, options.data, options.train.random_seed)

    def _validation_mixtures(self, domain: int) -> list[Mixture]:
        """The domain's validation mixtures; a domain of one clip has none, and a table with only a header."""
        table = self.options.partition / f"val{domain}.csv"
        lines = read_text(table, errors="surrogateescape").splitlines() if table.is_file() else []
        return read_mixtures(table) if len(lines) > 1 else []


def _train_domain(
    prepare: Callable[[], None], threads: int, options: TrainOptions, device: str, progress: Progress
) -> None:
    prepare()
    torch.set_num_threads(threads)
    run = TrainingRun(replace(options, device=device, num_gpus=0, parallel=1))
    run.train(list(run.jobs), progress)


def plan_job(name: str, rows: int, validation: int, parameters: int, settings: TrainSettings, world: int) -> PlannedJob:
    """What a job on ``rows`` samples would do, in ``world`` processes."""
    batches = len(EpochBatches(rows, settings.batch_size_per_device, world=world))
    steps_per_epoch = math.ceil(min(batches, settings.steps_per_epoch or batches) / settings.accumulate)
    steps = steps_per_epoch * settings.max_epochs
    return PlannedJob(
        name,
        rows,
        validation,
        parameters,
        steps_per_epoch,
        min(steps, settings.max_steps) if settings.max_steps > 0 else steps,
    )


def check_choices(options: TrainOptions) -> None:
    """Refuse unknown names of loss, optimiser, schedule and adapter method, with a suggestion."""
    make_loss(options.train.loss_type)
    check_names(options.train.optimizer)
    find_method(options.adapter.method)


def resumed(options: TrainOptions) -> TrainOptions:
    """The options of ``--resume``: :meth:`Workspace.recorded` ones, unless there is nothing to resume."""
    recorded = Workspace(options.workspace).recorded(options)
    if recorded != options:
        _log.warning(
            "data.semantic_filter: this run continues with its own, %s",
            recorded.data.semantic_filter or "null (it was started without one)",
        )
    return recorded


def shortened(options: TrainOptions) -> TrainOptions:
    """The options of ``--fast-dev-run``: a few batches of one epoch, in a sub-folder that is emptied first."""
    folder = options.workspace / "fast_dev_run"
    if not options.dry_run and process_rank(options.num_nodes) == 0:
        shutil.rmtree(folder, ignore_errors=True)
    settings = replace(options.train, max_epochs=1, max_steps=-1, steps_per_epoch=_DEV_RUN_BATCHES, wandb_project="")
    return replace(options, workspace=folder, train=settings, resume=False)


def _choose_domains(chosen: str, partition: Partition) -> tuple[list[int], tuple[int, ...]]:
    """The domains to train (``all``, or ids separated by commas), and those left out for lack of clips."""
    clips = {domain.id: domain.clips for domain in partition.domains}
    if chosen.strip() == "all":
        return [domain for domain in clips if clips[domain]], tuple(domain for domain in clips if not clips[domain])
    domains: list[int] = []
    for text in chosen.split(","):
        if not text.strip().isdecimal() or int(text) not in clips:
            if text.strip() == "all":
                raise InputError(f"--domain {chosen}: give all, or numbers separated by commas")
            check_choice("--domain", text.strip(), ["all", *map(str, clips)])
        if not clips[int(text)]:
            raise InputError(f"--domain {text}: this domain has no clips to train on")
        if int(text) not in domains:
            domains.append(int(text))
    return domains, ()
