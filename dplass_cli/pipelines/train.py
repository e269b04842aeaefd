"""``train``: one adapter a domain over a frozen base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml

from dplass_cli import __version__
from dplass_cli.adapters import AdapterSettings, adapted, make_adapters
from dplass_cli.adapters.files import DESCRIPTION, AdapterInfo, LoadedAdapter, save_adapter, versions
from dplass_cli.adapters.injection import layer_settings, moved_statistics
from dplass_cli.configuration import to_mapping
from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.mixtures import Mixture, read_mixtures
from dplass_cli.data.samples import Source, TrainingSamples
from dplass_cli.data.settings import DataSettings
from dplass_cli.devices import choose_device
from dplass_cli.domains.partition import Partition, read_partition
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel
from dplass_cli.separation.bank import BankDomain, bank_key, write_bank
from dplass_cli.separation.loading import load_models
from dplass_cli.storage import Progress, make_folder, no_progress, read_json, write_text
from dplass_cli.training.settings import TrainSettings
from dplass_cli.training.trainer import Hardware, Trained, ValidationMixtures, train_network


@dataclass(frozen=True)
class TrainOptions:
    """Options of ``train``.

    Attributes:
        partition: the partition folder.
        workspace: folder of ``checkpoints/ logs/ tf_logs/ bank/``, ``config.yaml`` and ``metrics.csv``.
        domain: ``all``, or numbers separated by commas.
        base_checkpoint, encoder, tokenizer, trust_checkpoint: the frozen base and its encoder.
        adapter, data, train: settings of the method, of the samples, of the optimisation.
        device, num_gpus, num_nodes, strategy: where to train; ``num_gpus`` 0 lets ``device`` decide.
        resume: go on where an earlier run in this workspace stopped; finished domains are kept.
    """

    partition: Path
    workspace: Path
    domain: str = "all"
    base_checkpoint: str = "tiny"
    encoder: str | None = None
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    device: str = "auto"
    num_gpus: int = 0
    num_nodes: int = 1
    strategy: str = "auto"
    resume: bool = False


@dataclass(frozen=True)
class TrainResult:
    """The bank, what each domain's training reached, and the domains left out for lack of clips."""

    bank: Path
    domains: dict[int, Trained]
    skipped: tuple[int, ...]


def train(options: TrainOptions, progress: Progress = no_progress) -> TrainResult:
    """Train the adapters of the asked-for domains, one after another, and write them as a bank.

    Raises:
        InputError: wrong options, partition, base or encoder. RunError: the training could not go on.
    """
    partition = read_partition(options.partition)
    wanted, skipped = _domains(options, partition)
    _require_fresh(options)
    device = choose_device(options.device)
    models = load_models(
        options.base_checkpoint, options.encoder, [], options.tokenizer, trust=options.trust_checkpoint
    )
    network, encoder, base_sha256 = models.network, models.encoder, models.bank.base_sha256
    if partition.encoder_fingerprint != encoder.fingerprint:
        raise InputError(
            f"{options.partition}: was made with another encoder ({partition.encoder_name},"
            f" {partition.encoder_fingerprint[:12]}…); partition again with the encoder of the base"
        )
    if options.data.sampling_rate != network.config.sample_rate:
        raise InputError(
            f"data.sampling_rate is {options.data.sampling_rate}, the base works at {network.config.sample_rate};"
            " leave it out"
        )
    layer_settings(network, options.adapter)  # so that a wrong target stops the run before it begins
    write_text(options.workspace / "config.yaml", yaml.safe_dump(to_mapping(options), sort_keys=False))
    rows = {d.id: read_manifest(options.partition / f"domain{d.id}.json") for d in partition.domains if d.clips}
    results: dict[int, Trained] = {}
    for domain in wanted:
        if not (options.resume and _finished(options, domain)):
            results[domain] = _train_domain(
                domain, options, partition, network, base_sha256, encoder, rows, device, progress
            )
        _write_bank(options, partition, base_sha256, encoder)
    return TrainResult(options.workspace / "bank", results, skipped)


def _domains(options: TrainOptions, partition: Partition) -> tuple[list[int], tuple[int, ...]]:
    """The domains to train, and those left out because they have no clips."""
    having = {domain.id: domain.clips for domain in partition.domains}
    if options.domain.strip() == "all":
        return [d for d in having if having[d]], tuple(d for d in having if not having[d])
    chosen = []
    for text in options.domain.split(","):
        if not text.strip().isdigit() or int(text) not in having:
            raise InputError(f"--domain {options.domain}: {text!r} is none of {some(having, 20)}, nor 'all'")
        if not having[int(text)]:
            raise InputError(f"--domain {text}: this domain has no clips to train on")
        chosen.append(int(text))
    return chosen, ()


def _require_fresh(options: TrainOptions) -> None:
    if (options.workspace / "config.yaml").exists() and not options.resume:
        raise InputError(f"{options.workspace}: holds a training run; go on with --resume, or give another --workspace")
    make_folder(options.workspace)


def _adapter_folder(options: TrainOptions, domain: int) -> Path:
    return options.workspace / "bank" / bank_key(domain)


def _finished(options: TrainOptions, domain: int) -> bool:
    """Whether an earlier run trained the domain for as many epochs and steps as are asked for."""
    path = _adapter_folder(options, domain) / DESCRIPTION
    if not path.is_file():
        return False
    done = read_json(path)["training"]
    return bool(done["max_epochs"] >= options.train.max_epochs and done["max_steps"] == options.train.max_steps)


def _train_domain(
    domain: int,
    options: TrainOptions,
    partition: Partition,
    network: BaseModel,
    base_sha256: str,
    encoder: QueryEncoder,
    rows: dict[int, list[Row]],
    device: torch.device,
    progress: Progress,
) -> Trained:
    mixtures = _validation(options.partition / f"val{domain}.csv")
    interference = _interference(domain, rows, options.data)
    captions = sorted({row.caption for row in rows[domain]} | {mixture.source.caption for mixture in mixtures})
    numbers = {caption: number for number, caption in enumerate(captions)}
    samples = TrainingSamples(
        [Source(row, row.caption, (numbers[row.caption],)) for row in rows[domain]],
        [Source(row, row.caption, ()) for row in interference],
        options.data,
        options.train.random_seed,
    )
    layers = layer_settings(network, options.adapter)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.train.random_seed)
        adapters = make_adapters(network, options.adapter.method, layers)
    adapting = options.adapter.batchnorm == "adapt"
    with adapted(network, adapters) as base_statistics:
        trained = train_network(
            network,
            encoder.embed_text(captions),
            samples,
            ValidationMixtures(mixtures, numbers, options.data.sampling_rate),
            options.train,
            _hardware(options, device),
            options.workspace,
            bank_key(domain),
            options.resume,
            progress,
            adapting,
        )
        network.cpu()
        statistics = moved_statistics(network, base_statistics)
    assert adapting or not statistics, "training moved frozen batch-norm statistics"
    info = AdapterInfo(
        method=options.adapter.method,
        layers=layers,
        base_sha256=base_sha256,
        architecture=to_mapping(network.config),
        encoder_fingerprint=encoder.fingerprint,
        domain={"id": domain, "name": next(d.name for d in partition.domains if d.id == domain)},
        batchnorm=options.adapter.batchnorm,
        dtype=options.adapter.dtype,
        training={**to_mapping(options.train), "data": to_mapping(options.data), "steps": trained.steps},
        metrics={"val_sdri": trained.best_sdri, "val_mixtures": len(mixtures)},
        versions={"dplass": __version__, **versions()},
    )
    save_adapter(_adapter_folder(options, domain), LoadedAdapter(adapters, statistics, info))
    return trained


def _validation(path: Path) -> list[Mixture]:
    """The validation mixtures of a domain; a domain of one clip has none (its table has a header only)."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return read_mixtures(path) if len(lines) > 1 else []


def _interference(domain: int, rows: dict[int, list[Row]], settings: DataSettings) -> list[Row]:
    allowed = {"other": rows.keys() - {domain}, "same": {domain}, "any": rows.keys()}[settings.interference]
    return [row for other, items in rows.items() if other in allowed for row in items]


def _hardware(options: TrainOptions, device: torch.device) -> Hardware:
    if options.num_gpus > 0:
        if torch.cuda.device_count() < options.num_gpus:
            raise InputError(f"--num-gpus {options.num_gpus}: torch sees {torch.cuda.device_count()} CUDA devices")
        return Hardware("gpu", options.num_gpus, options.num_nodes, options.strategy)
    accelerator = {"cuda": "gpu", "mps": "mps"}.get(device.type, "cpu")
    return Hardware(accelerator, 1, options.num_nodes, options.strategy)


def _write_bank(options: TrainOptions, partition: Partition, base_sha256: str, encoder: QueryEncoder) -> None:
    """Describe the adapters that are there by now, so that a run that stops leaves a bank of them."""
    domains: Sequence[BankDomain] = [
        BankDomain(d.id, d.name, d.captions, partition.text_centroids[row], partition.audio_centroids[row])
        for row, d in enumerate(partition.domains)
        if (_adapter_folder(options, d.id) / DESCRIPTION).is_file()
    ]
    description = {
        "base_sha256": base_sha256,
        "encoder_fingerprint": encoder.fingerprint,
        "partition_sha256": partition.rows_sha256,
        "settings": to_mapping(options.adapter),
    }
    write_bank(options.workspace / "bank", domains, description)
