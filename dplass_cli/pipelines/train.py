"""``train``: one adapter a domain over a frozen base; or a whole base; or one student of many adapters."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from dplass_cli.adapters import AdapterSettings, make_adapters
from dplass_cli.adapters.injection import find_method, layer_settings
from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.data_settings import DataSettings
from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.mixture_tables import Mixture, read_mixtures
from dplass_cli.devices import launched_together, process_rank
from dplass_cli.domains.partition_folder import Partition, read_partition
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel, in_fast_order
from dplass_cli.models.resunet30 import ResUNet30Config, is_unread
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.pipelines.models import ModelOptions
from dplass_cli.separation.bank import AdapterBank, bank_key, write_bank_of
from dplass_cli.storage import Progress, no_progress, read_json, read_text, write_json
from dplass_cli.training.callbacks.reporting import EpochReport, no_report
from dplass_cli.training.hardware import choose_hardware, count_gpus, share_out
from dplass_cli.training.job import (
    Recipe,
    RoutedTeacher,
    TrainingCorpus,
    adapter_job,
    check_samples,
    embed_queries,
    network_job,
)
from dplass_cli.training.losses import make_loss
from dplass_cli.training.optimizers import check_names
from dplass_cli.training.side_by_side import DeviceShare, side_by_side
from dplass_cli.training.train_settings import TrainSettings
from dplass_cli.training.trainer import Trained, TrainingJob, train_network
from dplass_cli.training.workspace import FINISHED, alone_in, begun_run

_NETWORK_NAMES = {"base": "base", "distil": "student"}
_DRY_BATCHES, _DRY_MIXTURES = 3, 2  # of --fast-dev-run


def _nothing() -> None:
    """What processes do first by default."""


@dataclass(frozen=True)
class TrainOptions(ModelOptions):
    """Options of ``train``; the frozen base and its encoder as :class:`~dplass_cli.pipelines.models.ModelOptions`.

    Attributes:
        partition: the partition folder.
        workspace: folder of ``checkpoints/ logs/ tf_logs/ bank/``, ``config.yaml`` and ``metrics.csv``.
        what: ``adapters``, one a domain; ``base``, the whole network on all domains; ``distil``, a whole network that
            learns what the base does with each row's own adapter.
        domain: ``all``, or numbers separated by commas.
        adapters: the teachers of ``distil``; default as in the other verbs.
        network: ``base`` and ``distil`` train a fresh network of this width instead of going on from the base.
        adapter, data, train: settings of the method, of the samples, of the optimisation.
        cache: folder of audio embeddings that are taken and kept, where queries are audio; default in the workspace.
        device, num_gpus, num_nodes, strategy: where to train; ``num_gpus`` 0 takes one device, or where several GPUs
            are there and several domains asked for, one a domain. On a CPU it is a number of processes.
        parallel: domains that train side by side, each in a process of its own; 0: one a GPU where there are several.
        resume: go on where an earlier run in this workspace stopped; finished domains are kept.
        dry_run: only plan. fast_dev_run: a handful of batches through everything, in a sub-folder of the workspace.
    """

    partition: Path = field(metadata={"given": "--data (a partition folder)"})
    workspace: Path
    what: Literal["adapters", "base", "distil"] = "adapters"
    domain: str = "all"
    network: ResUNet30Config | None = None
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    cache: Path | None = None
    num_gpus: int = 0
    num_nodes: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    parallel: int = 0
    resume: bool = False
    dry_run: bool = False
    fast_dev_run: bool = False

    def __post_init__(self) -> None:
        for name, least in (("num_gpus", 0), ("num_nodes", 1), ("parallel", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.adapters and self.what != "distil":
            raise InputError(f"--adapters: with --what {self.what} there is nothing to learn from them; leave them out")

    def check_words(self) -> None:
        """Refuse names of methods, losses, optimisers and schedules that there are not.

        Raises:
            InputError: as said; the message names the nearest right one.
        """
        make_loss(self.train.loss_type)
        check_names(self.train.optimizer)
        find_method(self.adapter.method)


@dataclass(frozen=True)
class PlannedJob:
    """What a training would do: rows, validation mixtures, parameters that move, and optimiser steps."""

    name: str
    rows: int
    validation_mixtures: int
    parameters: int
    steps_per_epoch: int
    steps: int


@dataclass(frozen=True)
class TrainResult:
    """What was trained.

    Attributes:
        output: the bank of adapters, or the network's file.
        domains: what each domain's training reached; those finished by an earlier run in this workspace too.
        network: what the training of a whole network reached.
        skipped: the domains left out for lack of clips.
        plan: what would be trained, of a dry run.
    """

    output: Path
    domains: dict[int, Trained] = field(default_factory=dict)
    network: Trained | None = None
    skipped: tuple[int, ...] = ()
    plan: tuple[PlannedJob, ...] = ()


def train(
    options: TrainOptions,
    progress: Progress = no_progress,
    report: EpochReport = no_report,
    begin: Callable[[], None] = _nothing,
) -> TrainResult:
    """Train what is asked for and write it: adapters as a bank, a network as a file.

    Args:
        report: as :func:`~dplass_cli.training.trainer.train_network`.
        begin: called first in processes that train domains side by side; must be importable.

    Raises:
        InputError: wrong options, partition, base or encoder; or another run is at work in the workspace.
        RunError: the training could not go on.
    """
    if options.fast_dev_run:
        options = _shortened(options)
    run = _Run(options)
    if options.dry_run:
        return replace(run.result(), plan=tuple(run.plan()))
    if process_rank() > 0:  # one of several processes; the first one keeps the workspace
        run.work(run.unfinished(), progress, report)
        return run.result()
    with alone_in(options.workspace), begun_run(options.workspace, options, options.resume):
        shares = run.shares()
        if len(shares) > 1:
            side_by_side(shares, [str(job) for job in run.unfinished()], partial(_work_aside, begin), options, progress)
        else:
            run.work(run.unfinished(), progress, report)
        run.write_banks()  # processes side by side each knew a part
        return run.result()


def _work_aside(
    begin: Callable[[], None], options: TrainOptions, domain: str, share: DeviceShare, progress: Progress
) -> None:
    """Train one domain in a process of its own."""
    begin()
    torch.set_num_threads(share.threads)
    run = _Run(replace(options, domain=domain, device=share.device, num_gpus=0, parallel=1))
    run.work([int(domain)], progress, no_report)


class _Run:
    """One run: what is read and checked once, before anything is written."""

    def __init__(self, options: TrainOptions) -> None:
        self.options = options
        self.partition = read_partition(options.partition)
        if options.workspace.resolve() == options.partition.resolve():
            raise InputError(f"--workspace {options.workspace}: is the partition itself; give a folder for the run")
        self.domains, self.skipped = _domains(options, self.partition)
        self.hardware = choose_hardware(options.device, options.num_gpus, options.num_nodes, options.strategy)
        options.check_words()
        # In torch on any device: a backend that takes over after some work would validate a resumed run otherwise.
        self.models = options.load_models(adapters=[], backend="torch")
        _check_encoder(options, self.partition, self.models.encoder)
        check_samples(options.data, self.models.network.config)
        self.layers = layer_settings(self.models.network, options.adapter)  # a wrong target stops the run here
        self._anew = {self._name(job) for job in self.unfinished()}

    @property
    def jobs(self) -> list[int]:
        """The domains that are trained each for itself; of a whole network, one job that stands for all."""
        return self.domains if self.options.what == "adapters" else [-1]

    def unfinished(self) -> list[int]:
        """The jobs that an earlier run in this workspace has not finished."""
        return [job for job in self.jobs if not self._finished(job)]

    def shares(self) -> list[DeviceShare]:
        """The devices for domains that train side by side; fewer than two for one after the other."""
        options = self.options
        alone = options.strategy != "auto" or options.num_gpus == 1
        count = options.parallel or (1 if alone else count_gpus(options.device, options.num_gpus))
        count = min(count, len(self.unfinished()))
        if options.what != "adapters" or launched_together() or options.num_nodes > 1 or count < 2:
            return []
        return share_out(options.device, options.num_gpus, count)

    def plan(self) -> Iterator[PlannedJob]:
        """What each job would do."""
        settings = self.options.train
        for job in self.jobs:
            domains = self.domains if job < 0 else [job]
            rows = sum(len(read_manifest(self.options.partition / f"domain{d}.json")) for d in domains)
            mixtures = sum(len(_validation(self.options.partition / f"val{d}.csv")) for d in domains)
            world = 1 if self.shares() else self.hardware.world
            batches = len(EpochBatches(rows, settings.batch_size_per_device, 0, world))
            steps = math.ceil(min(batches, settings.steps_per_epoch or batches) / settings.accumulate)
            total = steps * settings.max_epochs
            yield PlannedJob(
                self._name(job),
                rows,
                mixtures,
                self._parameters(job),
                steps,
                min(total, settings.max_steps) if settings.max_steps > 0 else total,
            )

    def _parameters(self, job: int) -> int:
        if job >= 0:
            adapters = make_adapters(self.models.network, self.options.adapter.method, self.layers)
            return sum(parameter.numel() for adapter in adapters.values() for parameter in adapter.parameters())
        named = self._network().named_parameters()
        return sum(parameter.numel() for name, parameter in named if not is_unread(name))

    def work(self, jobs: Sequence[int], progress: Progress, report: EpochReport) -> None:
        """Train jobs one after another."""
        if not jobs:
            return
        options = self.options
        recipe = Recipe(
            self._corpus(progress),
            self._network() if options.what != "adapters" else self.models.network,
            self.models.bank.base_sha256,
            self.models.encoder.fingerprint,
            options.data,
            options.train,
        )
        for number in jobs:
            with self._job(recipe, number) as job:
                trained = train_network(
                    job, options.train, self.hardware, options.workspace, options.resume, progress, report
                )
            if process_rank() == 0:
                self.write_banks()  # before the job counts as finished, or a kill in between would leave it out of them
                write_json(self._record(number), {"limits": self._limits(), "trained": to_mapping(trained)})

    def _job(self, recipe: Recipe, number: int) -> contextlib.AbstractContextManager[TrainingJob]:
        options, workspace = self.options, self.options.workspace
        if number >= 0:
            folders = {which: folder / bank_key(number) for which, folder in self._banks().items()}
            name = next(domain.name for domain in self.partition.domains if domain.id == number)
            return adapter_job(recipe, options.adapter, number, name, folders)
        name = _NETWORK_NAMES[options.what]
        files = {"best": self._output(), "last": workspace / f"{name}_last.safetensors"}
        teacher = RoutedTeacher(self._load_bank) if options.what == "distil" else None
        return network_job(recipe, name, self.domains, files, teacher)

    def _load_bank(self, device: torch.device) -> AdapterBank:
        loaded = self.options.load_models(self.options.adapters, device, backend="torch")
        if not loaded.bank.keys:
            raise InputError("--what distil: needs adapters to learn from; give --adapters BANK")
        return loaded.bank

    def _network(self) -> BaseModel:
        """The whole network to train: the base, or a fresh one of the asked-for width."""
        config = self.options.network
        if config is None:
            return self.models.network
        if (config.condition_size, config.sample_rate) != (self.models.encoder.size, self.options.data.sampling_rate):
            raise InputError(
                f"network: condition_size must be the encoder's {self.models.encoder.size} and sample_rate"
                f" {self.options.data.sampling_rate}, not {config.condition_size} and {config.sample_rate}"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.train.random_seed)
            fresh = BaseModel(config)
        return in_fast_order(fresh)

    def _corpus(self, progress: Progress) -> TrainingCorpus:
        folder, options = self.options.partition, self.options
        rows = {d.id: read_manifest(folder / f"domain{d.id}.json") for d in self.partition.domains if d.clips}
        mixtures = {domain: _validation(folder / f"val{domain}.csv") for domain in self.domains}
        if options.fast_dev_run:
            mixtures = {domain: items[:_DRY_MIXTURES] for domain, items in mixtures.items()}
        targets: list[Row] = [row for domain in self.domains for row in rows[domain]]
        cache = (options.cache or options.workspace / "embeddings") if options.data.use_text_ratio < 1 else None
        validated = [mixture for items in mixtures.values() for mixture in items]
        queries = embed_queries(targets, validated, self.models.encoder, cache, progress)
        return TrainingCorpus(rows, mixtures, queries)

    def result(self) -> TrainResult:
        """What has been reached by now."""
        records = {job: record for job in self.jobs if (record := self._record(job)).is_file()}
        reached = {job: from_mapping(Trained, read_json(r)["trained"], str(r)) for job, r in records.items()}
        whole = reached.pop(-1, None)
        return TrainResult(self._output(), reached, whole, self.skipped)

    def _name(self, job: int) -> str:
        return bank_key(job) if job >= 0 else _NETWORK_NAMES[self.options.what]

    def _record(self, job: int) -> Path:
        """Where it stands what a finished training reached."""
        return self.options.workspace / "checkpoints" / self._name(job) / FINISHED

    def _limits(self) -> dict[str, int]:
        asked = self.options.train
        return {"max_epochs": asked.max_epochs, "max_steps": asked.max_steps, "patience": asked.patience}

    def _finished(self, job: int) -> bool:
        """Whether an earlier run trained the job for as many epochs and steps as are asked for."""
        record = self._record(job)
        if not self.options.resume or not record.is_file():
            return False
        done, asked = read_json(record)["limits"], self._limits()
        return bool(done.pop("max_epochs") >= asked.pop("max_epochs") and done == asked)

    def _output(self) -> Path:
        name = _NETWORK_NAMES.get(self.options.what)
        return self.options.workspace / (f"{name}.safetensors" if name else "bank")

    def _banks(self) -> dict[str, Path]:
        return {"best": self.options.workspace / "bank", "last": self.options.workspace / "bank_last"}

    def write_banks(self) -> None:
        """Describe the adapters that are there by now, so that a run that stops leaves a bank of them."""
        if self.options.what != "adapters":
            return
        base, asked = self.models.bank.base_sha256, to_mapping(self.options.adapter)
        for bank in self._banks().values():
            write_bank_of(bank, self.partition, base, self._anew, settings=asked)


def _shortened(options: TrainOptions) -> TrainOptions:
    """A handful of batches of one epoch, in a fresh sub-folder of the workspace."""
    folder = options.workspace / "fast_dev_run"
    if not options.dry_run and process_rank() == 0:
        shutil.rmtree(folder, ignore_errors=True)
    settings = replace(options.train, max_epochs=1, max_steps=-1, steps_per_epoch=_DRY_BATCHES, wandb_project="")
    return replace(options, workspace=folder, train=settings, resume=False)


def _domains(options: TrainOptions, partition: Partition) -> tuple[list[int], tuple[int, ...]]:
    """The domains to train, and those left out because they have no clips."""
    having = {domain.id: domain.clips for domain in partition.domains}
    if options.domain.strip() == "all":
        return [d for d in having if having[d]], tuple(d for d in having if not having[d])
    chosen: list[int] = []
    for text in options.domain.split(","):
        if not text.strip().isdecimal() or int(text) not in having:
            raise InputError(f"--domain {options.domain}: {text!r} is none of {some(having, 20)}, nor 'all'")
        if not having[int(text)]:
            raise InputError(f"--domain {text}: this domain has no clips to train on")
        if int(text) not in chosen:
            chosen.append(int(text))
    return chosen, ()


def _check_encoder(options: TrainOptions, partition: Partition, encoder: QueryEncoder) -> None:
    if partition.encoder_fingerprint != encoder.fingerprint:
        raise InputError(
            f"{options.partition}: was made with another encoder ({partition.encoder_name},"
            f" {partition.encoder_fingerprint[:12]}…); partition again with the encoder of the base"
        )


def _validation(path: Path) -> list[Mixture]:
    """The validation mixtures of a domain; a domain of one clip has none (its table has a header only)."""
    lines = read_text(path).splitlines() if path.is_file() else []
    return read_mixtures(path) if len(lines) > 1 else []
