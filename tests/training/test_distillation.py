"""The teacher of a student."""

from __future__ import annotations

import torch
from small_networks import loaded, small_network

from dplass_cli.adapters.bank_folder import bank_key
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.training.distillation import RoutedTeacher


def bank(device: torch.device) -> AdapterBank:
    """Adapters of domains 0 and 2."""
    made = AdapterBank(small_network())
    for domain in (0, 2):
        made.add(bank_key(domain), loaded(made.network, AdapterSettings(), seed=domain + 1))
    return made


def test_each_item_is_separated_by_the_adapter_of_its_domain() -> None:
    generator = torch.Generator().manual_seed(0)
    mixture, condition = torch.randn(4, 1, 2000, generator=generator), torch.randn(4, 8, generator=generator)
    output = RoutedTeacher(bank)(mixture, condition, torch.tensor([2, 0, 2, 9]))
    alone = bank(torch.device("cpu"))
    for item, key in enumerate([bank_key(2), bank_key(0), bank_key(2), None]):  # domain 9 has no adapter
        alone.activate(key)
        with torch.inference_mode():
            expected = alone.network(mixture[item : item + 1], condition[item : item + 1])[0]
        torch.testing.assert_close(output[item], expected, atol=1e-5, rtol=1e-4)


def test_the_bank_is_loaded_once() -> None:
    devices: list[torch.device] = []

    def load(device: torch.device) -> AdapterBank:
        devices.append(device)
        return bank(device)

    teacher = RoutedTeacher(load)
    for _ in range(2):
        teacher(torch.zeros(1, 1, 2000), torch.ones(1, 8), torch.tensor([0]))
    assert devices == [torch.device("cpu")]
