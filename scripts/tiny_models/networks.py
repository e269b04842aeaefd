"""The base and its seven adapters, trained by the loop of ``dplass train``."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dplass_cli.adapters.adapter_folder import AdapterInfo, load_adapter, read_description
from dplass_cli.adapters.bank_folder import BankDomain, bank_key, write_bank
from dplass_cli.adapters.injection import layer_settings
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.data.ontology import kinds_of
from dplass_cli.data.samples import SourceClip, TrainingSamples
from dplass_cli.domains.partition_folder import Partition, read_partition
from dplass_cli.encoders import load_encoder
from dplass_cli.encoders.clips import Clip
from dplass_cli.models import in_fast_order, load_base, save_base
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.augmentation_settings import AugmentationSettings, GainSettings, PolaritySettings
from dplass_cli.options.data_settings import DataSettings, LoudnessSettings
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.pipelines.partition import partition
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.storage import Progress, make_folder
from dplass_cli.training.corpus import TrainingCorpus, ValidationMixtures
from dplass_cli.training.job import TrainingJob, Which, adapter_job
from dplass_cli.training.train_result import Trained
from dplass_cli.training.trainer import JobTrainer
from dplass_cli.versions import versions
from tiny_models.clips import RATE, Sound, by_kind
from tiny_models.kinds import Carriers, Kind

BASE = ResUNet30Config(
    condition_size=128,
    n_fft=1024,
    hop=320,
    pre_channels=32,
    channels=(32, 64, 128, 192, 256),
    downsample=((2, 2), (2, 2), (2, 2), (2, 2), (1, 2)),
    stem=(2, 4),
    input_power=0.3,
    input_level_db=-21.0,
)
# Mixtures of two and three at any level, some without the sound that is asked for.
BASE_DATA = DataSettings(
    max_mix_num=3,
    interference="any",
    negative_share=0.05,
    augment=AugmentationSettings(gain=GainSettings(), polarity=PolaritySettings()),
)
_SOURCES_PER_KIND = 40
DOMAINS = 7
ADAPTER = AdapterSettings(method="lora", rank=16, alpha=16.0, dtype="float16")
# Closer to what is separated than what a base learns from: longer, of about equal levels, and with any other class.
ADAPTER_DATA = DataSettings(
    segment_seconds=4.0, loudness_norm=LoudnessSettings(lower_db=-5, higher_db=5), interference="any"
)
FOREVER = 1_000_000  # epochs: the number of steps is what counts


def train_base(
    found: Sequence[Sound],
    kinds: Sequence[Kind],
    carriers: Carriers,
    encoder: Path,
    work: Path,
    output: Path,
    steps: int,
    minutes: float | None = None,
    workers: int = 0,
    start: Path | None = None,
) -> None:
    """Train the whole base on mixtures of two or three kinds that can be told apart, asked for in any wording.

    A run that is stopped goes on at its last checkpoint.

    Args:
        steps: until the end of the schedule.
        minutes: stop after so many, with a checkpoint and the weights reached by then.
        workers: processes that read sounds.
        start: base to go on from, at a lower rate and with other mixtures than a new base has; written by this function
            with the same encoder.
    """
    torch.manual_seed(1)
    reader = load_encoder(encoder)
    sources, texts = _sources(found, kinds, carriers)
    rate, seed = (1e-3, 1) if start is None else (7e-4, 2)
    settings = _settings(steps, learning_rate=rate, warm_up=300, batch=10, workers=workers, seed=seed)
    samples = TrainingSamples(sources, {0: sources}, reader.embed_text(texts), BASE_DATA, settings.random_seed)
    network = in_fast_order(ResUNet30(BASE) if start is None else load_base(start).train().requires_grad_(True))

    def export(which: Which, trained: Trained) -> None:
        if which == "last":
            # The text tower is finished before the base is begun; the audio tower may be trained at the same time.
            save_base(output, network, load_encoder(encoder).fingerprint, torch.float16)

    no_validation = ValidationMixtures({}, {}, RATE)
    job = TrainingJob("base", network, samples, no_validation, export, adapt_batchnorm=True)
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    try:
        JobTrainer(job, _options(work, settings), _until(deadline)).fit(resume=True)
    except KeyboardInterrupt:
        if deadline is None or time.monotonic() < deadline:
            raise
        network.cpu()
        export("last", Trained())
        print(f"stopped after {minutes:g} minutes; run again to go on", flush=True)


def _until(deadline: float | None) -> Progress:
    """Prints steps; asks the training to stop after the first step past the deadline."""
    asked = False

    def progress(step: int, steps: int, what: str) -> None:
        nonlocal asked
        print_step(step, steps, what)
        if deadline is not None and time.monotonic() >= deadline and not asked:
            asked = True  # a second signal would end the training without a checkpoint
            signal.raise_signal(signal.SIGTERM)

    return progress


def _sources(found: Sequence[Sound], kinds: Sequence[Kind], carriers: Carriers) -> tuple[list[SourceClip], list[str]]:
    """The sounds as sources of mixtures, kinds about equally often; and the sentences that ask for them.

    Sources share a caption, and so never meet in a mixture, if their kinds sound alike.
    """
    rng = random.Random(1)
    texts: list[str] = []
    rows: dict[str, tuple[int, ...]] = {}
    for kind in kinds:
        sentences = [*kind.wordings, *(carriers.around(wording, rng, 0.6) for wording in kind.wordings)]
        rows[kind.name] = tuple(range(len(texts), len(texts) + len(sentences)))
        texts += sentences
    alike = {kind.name: (kind.name, *_alike(kind)) for kind in kinds}
    sources = []
    for name, numbers in by_kind(found).items():
        source = [
            SourceClip(Row(Path(found[n].wav), name, id=found[n].clip), kinds_of(alike[name]), rows[name])
            for n in numbers
        ]
        sources += source * max(1, round(_SOURCES_PER_KIND / len(source)))
    return sources, texts


def _alike(kind: Kind) -> tuple[str, ...]:
    """Labels that the kinds which sound alike have in common."""
    return tuple(f"like {name}" for name in kind.alike)


def sounds_by_name(found: Sequence[Sound], kinds: Sequence[Kind]) -> list[Row]:
    """The sounds, asked for by the name of their kind.

    Kinds that sound alike share a label, and so never meet in a mixture.
    """
    alike = {kind.name: _alike(kind) for kind in kinds}
    return [Row(Path(sound.wav), sound.kind, alike[sound.kind], id=sound.clip) for sound in found]


def make_partition(found: Sequence[Sound], kinds: Sequence[Kind], encoder: Path, work: Path) -> Partition:
    """Seven domains of the kinds, by how they sound; writes the manifest ``train.json`` of all sounds too."""
    manifest = work / "train.json"
    write_manifest(manifest, sounds_by_name(found, kinds))
    options = PartitionOptions(manifest, work / "partition", DOMAINS, encoder=str(encoder), cache=work / "embeddings")
    partition(options)
    return read_partition(work / "partition")


def train_adapters(
    found: Sequence[Sound],
    kinds: Sequence[Kind],
    domains: Partition,
    models: Path,
    work: Path,
    steps: int,
    only: Collection[int],
    start: Path | None = None,
) -> None:
    """Train the adapters of some domains, and write the bank once all are there.

    Args:
        models: folder of the base and the encoder; the bank goes there too.
        start: bank to go on from, of this base or of the one that it was trained from; with other mixtures than a
            training of new adapters has.
    """
    network, encoder = load_base(models / "base.safetensors"), load_encoder(models / "encoder.safetensors")
    settings = _settings(steps, learning_rate=5e-4, warm_up=20, batch=4, seed=1 if start is None else 2)
    corpus = _corpus(found, kinds, domains, encoder.embed_text, settings.random_seed)
    base_sha256 = network.sha256()
    bank = make_folder(models / "bank")
    for domain in (domain for domain in domains.domains if domain.id in only):
        key = bank_key(domain.id)
        trained, before = None, {}
        if start is not None:
            described = read_description(start / key)
            trained = load_adapter(start / key, network, described.base_sha256)
            before = {"trained_before": described.training}
        info = AdapterInfo(
            method=ADAPTER.method,
            layers=layer_settings(network, ADAPTER),
            base_sha256=base_sha256,
            architecture=to_mapping(network.config),
            encoder_fingerprint=encoder.fingerprint,
            domain={"id": domain.id, "name": domain.name},
            batchnorm=ADAPTER.batchnorm,
            dtype=ADAPTER.dtype,
            training={**to_mapping(settings), "data": to_mapping(ADAPTER_DATA), **before},
            versions=versions(),
        )
        folders: dict[Which, Path] = {"best": bank / key, "last": work / "last" / key}
        with adapter_job(network, corpus, domain.id, info, folders, trained) as job:
            JobTrainer(job, _options(work, settings), print_step).fit(resume=True)
    if all((bank / bank_key(domain.id) / "adapter.json").is_file() for domain in domains.domains):
        _describe(bank, domains, base_sha256, encoder.fingerprint)


def _options(work: Path, settings: TrainSettings) -> TrainOptions:
    return TrainOptions(partition=work / "partition", workspace=work, train=settings)


def _corpus(found: Sequence[Sound], kinds: Sequence[Kind], domains: Partition, embed: Any, seed: int) -> TrainingCorpus:
    """All sounds by domain, asked for by the name of their kind; none is kept for validation."""
    of = {caption: domain.id for domain in domains.domains for caption in domain.captions}
    rows: dict[int, list[Row]] = {domain.id: [] for domain in domains.domains}
    for row in sounds_by_name(found, kinds):
        rows[of[row.caption]].append(row)
    captions = sorted(of)
    table: Tensor = embed(captions)
    index: dict[str | Clip, int] = {caption: number for number, caption in enumerate(captions)}
    return TrainingCorpus(rows, {domain: [] for domain in rows}, table, index, ADAPTER_DATA, seed)


def _describe(bank: Path, domains: Partition, base_sha256: str, fingerprint: str) -> None:
    described = [
        BankDomain(domain.id, domain.name, domain.captions, domains.text_centroids[row], domains.audio_centroids[row])
        for row, domain in enumerate(domains.domains)
    ]
    description = {
        "base_sha256": base_sha256,
        "encoder_fingerprint": fingerprint,
        "partition_sha256": domains.rows_sha256,
        "settings": to_mapping(ADAPTER),
    }
    write_bank(bank, described, description)
    AdapterBank(load_base(bank.parent / "base.safetensors")).load(bank)  # what was written can be read


def _settings(
    steps: int, learning_rate: float, warm_up: int, batch: int, workers: int = 0, seed: int = 1
) -> TrainSettings:
    return TrainSettings(
        OptimizerSettings(learning_rate=learning_rate, schedule="cosine", warm_up_steps=warm_up),
        batch_size_per_device=batch,
        num_workers=workers,
        loss_type="negative_sdr",
        precision=fast_precision(),
        max_epochs=FOREVER,
        max_steps=steps,
        save_step_frequency=100,
        gradient_clip=5.0,
        random_seed=seed,
    )


def fast_precision() -> Literal["32-true", "bf16-mixed"]:
    """bfloat16 where the processor or GPU computes with it; elsewhere it is emulated and slow."""
    fast = torch.cuda.is_available() or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "bf16-mixed" if fast else "32-true"


def print_step(step: int, steps: int, what: str) -> None:
    """Print every 50th step of a training."""
    if step % 50 == 0:
        print(f"step {step} of {steps}, {what}", flush=True)
