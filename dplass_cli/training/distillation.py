"""Distillation: the teacher is the base with one of its adapters for each sample; a student learns its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dplass_cli.adapters.bank_folder import bank_key
from dplass_cli.audio.level import TRAINED_RANGE_DB, near_level
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel, ResUNet30
from dplass_cli.options.distil_settings import BY_DOMAIN
from dplass_cli.options.network_settings import NetworkConfig
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.policies import Choice, DomainTexts, chooses_by_query, make_policy, require
from dplass_cli.training.given_adapters import check_same_domains

Route = Callable[[Tensor, Tensor], Sequence[Activation]]
"""(condition (B, D), domain int64 (B,)) -> what the teacher runs as for each item."""


def make_route(select: str, bank: AdapterBank, encoder: QueryEncoder) -> Route:
    """How the adapters of a bank are chosen, by ``distil.select``; errors are those of :func:`check_teacher`."""
    if select == BY_DOMAIN:
        return lambda condition, domain: [key if key in bank.keys else None for key in map(bank_key, domain.tolist())]
    policy, texts = make_policy(select), DomainTexts(bank, encoder)
    return lambda condition, domain: [
        policy.choose(Choice(query, bank, texts)) for query in condition.detach().float().cpu()
    ]


def check_teacher(select: str, bank: AdapterBank, partition: Partition, domains: Sequence[int]) -> None:
    """Check that a bank can teach a student on some domains of a partition.

    Raises:
        InputError: there are no adapters, the policy cannot choose among them by the query, or they do not belong to
            the domains.
    """
    if not bank.keys:
        raise InputError("--what distil: needs adapters to learn from; add --adapters BANK")
    if select != BY_DOMAIN:
        policy = make_policy(select)
        if not chooses_by_query(policy):
            raise InputError(f"distil.select {select}: does not choose by the query; use domain, text or validated")
        return require(policy, bank)
    if not set(map(bank_key, domains)) & set(bank.keys):
        raise InputError(
            f"--adapters: {some(bank.keys, 3)}: of none of the domains that are trained on; choose among them by the"
            " query, --set distil.select=text"
        )
    check_same_domains(bank, partition, domains, ", or choose by the query, --set distil.select=text")


def check_student(student: NetworkConfig, base: NetworkConfig) -> None:
    """Check that a student can hear what its teacher, over a base, hears; InputError if the sample rates differ."""
    if student.sample_rate != base.sample_rate:
        raise InputError(
            f"network.sample_rate {student.sample_rate}: the base, which is the teacher, works at {base.sample_rate};"
            f" set it to {base.sample_rate}"
        )


@torch.no_grad()
def inherit(student: BaseModel, base: BaseModel) -> None:
    """Start a student that is the base in another width from channels of the base at equal distances.

    Weights grow where a layer has fewer inputs to sum, so a student of twice the width computes what the base does.
    Equal distances choose the same channels of a map wherever it is read, also behind the skip connections, which
    concatenate two maps of equal width. Any other student keeps its random weights.
    """
    if not isinstance(student, ResUNet30) or not isinstance(base, ResUNet30):
        return
    widths, given = base.config, base.state_dict()
    same = replace(student.config, pre_channels=widths.pre_channels, channels=widths.channels) == widths
    if not same or student.state_dict().keys() != given.keys():
        return
    for name, tensor in student.state_dict().items():
        chosen = given[name]
        for axis, size in enumerate(tensor.shape):
            chosen = chosen.index_select(axis, torch.arange(size) * chosen.shape[axis] // size)
        tensor.copy_(chosen)
    for name, layer in student.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            wide = base.get_submodule(name)
            assert isinstance(wide, type(layer))
            layer.weight *= wide.in_channels / layer.in_channels


class RoutedTeacher:
    """Separates each item of a batch with the adapter that its route says.

    Args:
        load: loads the bank; called with the device of the first batch, which is the one that trains.
        route: makes the route for that bank.
        heard_db: level in dB re full scale near which the student hears mixtures; None: they have any level.
    """

    def __init__(
        self,
        load: Callable[[torch.device], AdapterBank],
        route: Callable[[AdapterBank], Route],
        heard_db: float | None = None,
    ) -> None:
        self._load, self._make_route, self._heard_db = load, route, heard_db
        self._loaded: tuple[AdapterBank, Route] | None = None

    @torch.no_grad()
    def __call__(self, mixture: Tensor, condition: Tensor, domain: Tensor) -> Tensor:
        """Separate a batch: a :data:`~dplass_cli.training.job.Teacher`."""
        if self._loaded is None:
            bank = self._load(mixture.device)
            self._loaded = bank, self._make_route(bank)
        bank, route = self._loaded
        heard, gain = self._at_its_level(mixture, bank.network.config)
        output = torch.empty_like(mixture)
        chosen = route(condition, domain)
        for number, which in enumerate(chosen):
            if which in chosen[:number]:
                continue
            bank.activate(which)
            items = [item for item, other in enumerate(chosen) if other == which]
            output[items] = bank.network(heard[items], condition[items]).to(output.dtype)
        return output / gain

    def _at_its_level(self, mixture: Tensor, config: NetworkConfig) -> tuple[Tensor, Tensor | float]:
        """The mixtures (B, 1, T) at the teacher's input level, and the gains that were applied to them."""
        if config.input_level_db is None or config.input_level_db == self._heard_db:
            return mixture, 1.0
        offset, gain = near_level(mixture[:, 0], config.sample_rate, config.input_level_db, TRAINED_RANGE_DB)
        return (mixture - offset[..., None]) * gain[..., None], gain[..., None]
