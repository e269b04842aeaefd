"""The model card of shared adapters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from dplass_cli.adapters.adapter_folder import read_description
from dplass_cli.adapters.bank_folder import bank_place, find_adapters, read_bank
from dplass_cli.errors import InputError
from dplass_cli.reports.model_card import model_card

BANK = bank_place("tiny")
ADAPTERS = {key: read_description(place) for key, place in find_adapters(BANK).items()}


def test_a_card_names_base_domains_settings_and_figures() -> None:
    domains = read_bank(BANK)
    card = model_card("me/bank", ADAPTERS, domains, "| policy | SDRi |\n|---|---:|\n| text | 7.12 |\n", "cc-by-4.0")
    _, header, body = card.split("---\n", 2)
    described = yaml.safe_load(header)
    assert (described["license"], described["library_name"]) == ("cc-by-4.0", "dplass")
    assert next(iter(ADAPTERS.values())).base_sha256 in body
    assert all(f"| {key} | {info.method} | {domains[key].name} |" in body for key, info in ADAPTERS.items())
    assert "| text | 7.12 |" in body
    assert "--adapters hf:me/bank" in body
    assert "| optimizer.learning_rate | 0.0005 |" in body


def test_without_an_evaluation_the_card_says_so() -> None:
    card = model_card("me/bank", ADAPTERS, {})
    assert "No evaluation is included." in card
    assert "license:" not in card


def test_adapters_of_two_bases_are_refused() -> None:
    key, info = next(iter(ADAPTERS.items()))
    with pytest.raises(InputError, match="me/bank: the adapters belong to 2 bases"):
        model_card("me/bank", {key: info, "other": replace(info, base_sha256="0" * 64)}, {})
