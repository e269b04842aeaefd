"""What one training trains and writes; here a domain's adapter over the frozen base, or a whole network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from dplass_cli.adapters import adapted, make_adapters
from dplass_cli.adapters.adapter_folder import AdapterInfo, LoadedAdapter, save_adapter
from dplass_cli.adapters.bank_folder import bank_key
from dplass_cli.adapters.injection import adapter_state, load_adapter_state, moved_statistics
from dplass_cli.data.batches import EpochBatches, TrainingLoader
from dplass_cli.data.samples import TrainingSamples
from dplass_cli.models import BaseModel, save_base
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.training.corpus import TrainingCorpus, ValidationMixtures
from dplass_cli.training.train_result import Trained

Which = Literal["best", "last"]
"""Which weights are exported: those of the best epoch, or those after the last step."""

Teacher = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(mixture (B, C, T), condition (B, D), domain int64 (B,)) -> the output (B, C, T) that a student learns."""


class Samples(Protocol):
    """The training samples of any job.

    Attributes:
        settings: their sample rate, and how many unreadable files stop the run.
    """

    settings: DataSettings

    def __len__(self) -> int: ...

    def describe(self, number: int) -> dict[str, Any]:
        """What sample ``number`` consists of, for the log."""
        ...


@dataclass(frozen=True)
class Job:
    """One training, of whatever kind.

    Attributes:
        name: of its folders, logs and rows of ``metrics.csv``, such as ``domain3``.
        network: whatever requires a gradient is trained.
        samples: training samples.
        validation: a dataset with a length; may be empty, then the last weights count as the best.
        export: writes the network's current weights; called after every best epoch and at the end.
        adapt_batchnorm: batch norm normalises with the batches' statistics and updates its running ones.
    """

    name: str
    network: nn.Module
    samples: Samples
    validation: Any
    export: Callable[[Which, Trained], None]
    adapt_batchnorm: bool = False

    def loader(self, batches: EpochBatches, workers: int) -> TrainingLoader:
        """Load the samples in batches."""
        raise NotImplementedError

    def is_unread(self, parameter: str) -> bool:
        """Whether no forward pass reads a parameter of the network."""
        return False


@dataclass(frozen=True)
class TrainingJob(Job):
    """The training of a separation network, or of an adapter on one.

    Attributes:
        teacher: gives the outputs that a student learns; None: there are only the true targets.
        target_share: share of a student's loss that compares with the true target.
    """

    network: BaseModel
    samples: TrainingSamples
    validation: ValidationMixtures
    teacher: Teacher | None = None
    target_share: float = 0.0

    def loader(self, batches: EpochBatches, workers: int) -> TrainingLoader:
        return TrainingLoader(self.samples, batches, workers)

    def is_unread(self, parameter: str) -> bool:
        return self.network.is_unread(parameter)


@contextmanager
def adapter_job(
    network: BaseModel,
    corpus: TrainingCorpus,
    domain: int,
    info: AdapterInfo,
    folders: Mapping[Which, Path],
    start: LoadedAdapter | None = None,
) -> Iterator[TrainingJob]:
    """The job of one domain's adapter. The network has the adapter inside the block and is the base again after it.

    Args:
        info: describes the adapter; steps and scores are filled in when it is written to the ``folders``.
        start: a trained adapter of the same layers and settings to go on from; None: a new one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(corpus.seed)
        adapters = make_adapters(network, info.method, info.layers)
    if start is not None:
        load_adapter_state(adapters, adapter_state(start.layers), "the adapter to go on from")
        for adapter in adapters.values():
            adapter.train().requires_grad_(True)
    adapt_batchnorm = info.batchnorm == "adapt"
    with adapted(network, adapters) as base_statistics:
        for path, tensor in start.statistics.items() if start else ():
            network.get_buffer(path).copy_(tensor)

        def export(which: Which, trained: Trained) -> None:
            statistics = moved_statistics(network, base_statistics)
            assert adapt_batchnorm or not statistics, "training changed frozen batch-norm statistics"
            described = replace(
                info,
                training={**info.training, "steps": trained.steps, "which": which},
                metrics={
                    "val_sdri": trained.best_sdri,
                    "val_si_sdr": trained.best_si_sdr,
                    "val_mixtures": trained.validation_mixtures,
                },
            )
            save_adapter(folders[which], LoadedAdapter(adapters, statistics, described))

        samples, validation = _data(network, corpus, [domain])
        yield TrainingJob(bank_key(domain), network, samples, validation, export, adapt_batchnorm)
        network.cpu()  # Lightning leaves it on the device that it trained on


@contextmanager
def network_job(
    network: BaseModel,
    corpus: TrainingCorpus,
    name: str,
    domains: Sequence[int],
    encoder_fingerprint: str,
    files: Mapping[Which, Path],
    teacher: Teacher | None = None,
    target_share: float = 0.0,
) -> Iterator[TrainingJob]:
    """The job of a whole network, on several domains at once. The network is frozen again after the block."""
    # A parameter that forward never reads gets no gradient, and DDP would wait for it.
    for key, parameter in network.named_parameters():
        parameter.requires_grad_(not network.is_unread(key))

    def export(which: Which, trained: Trained) -> None:
        save_base(files[which], network, encoder_fingerprint)

    samples, validation = _data(network, corpus, domains)
    yield TrainingJob(name, network, samples, validation, export, True, teacher, target_share)
    network.cpu().requires_grad_(False)


def _data(
    network: BaseModel, corpus: TrainingCorpus, domains: Sequence[int]
) -> tuple[TrainingSamples, ValidationMixtures]:
    """What a network trains and is validated on, with as many channels as it separates together."""
    channels = network.config.audio_channels
    return corpus.samples(domains, channels), corpus.validation(domains, channels)
