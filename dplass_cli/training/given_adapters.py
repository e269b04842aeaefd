"""Checks of ``--adapters``: those that a training goes on from, and those that teach a student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dplass_cli.adapters.bank_folder import bank_key
from dplass_cli.adapters.base import LayerSettings
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.errors import InputError, some
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank


def check_start(
    bank: AdapterBank,
    partition: Partition,
    domains: Sequence[int],
    settings: AdapterSettings,
    layers: Mapping[str, LayerSettings],
) -> None:
    """Check that a bank has an adapter of each domain, with the settings of this run, to go on from.

    Raises:
        InputError: it lacks a domain's adapter, or has one of other settings or of another partition.
    """
    for key in map(bank_key, domains):
        if key not in bank.keys:
            raise InputError(
                f"--adapters: contains {some(bank.keys, 3)}, but no {key}; choose among them with --domain"
            )
        info = bank.infos[key]
        if (info.method, info.layers, info.batchnorm) != (settings.method, layers, settings.batchnorm):
            raise InputError(
                f"--adapters: {key} ({info.method}) was made with other settings than this run ({settings.method});"
                " repeat its own, for example with --config and the config.yaml of its run"
            )
    check_same_domains(bank, partition, domains)


def check_same_domains(bank: AdapterBank, partition: Partition, domains: Sequence[int], otherwise: str = "") -> None:
    """Check that the adapters of some domains were trained on the same captions, as far as the bank says.

    Args:
        otherwise: what else can be done; the end of the message.

    Raises:
        InputError: one was trained on a domain of another partition.
    """
    captions = {bank_key(domain.id): set(domain.captions) for domain in partition.domains if domain.id in domains}
    for key, domain in bank.domains.items():
        if key in captions and set(domain.captions) != captions[key]:
            raise InputError(
                f"--adapters: {key} ({domain.name}) was trained on a domain of another partition; give the bank of this"
                f" one{otherwise}"
            )
