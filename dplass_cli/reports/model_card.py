"""The model card of shared adapters: what they are, what they belong to, and what they were measured to reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dplass_cli.adapters.adapter_folder import AdapterInfo
from dplass_cli.adapters.bank_folder import BankDomain
from dplass_cli.errors import InputError, some

_MOST_CAPTIONS = 12  # of a domain that are listed
_TAGS = ("audio-source-separation", "language-queried", "dplass")


def model_card(
    repository: str,
    adapters: Mapping[str, AdapterInfo],
    domains: Mapping[str, BankDomain],
    figures: str | None = None,
    licence: str | None = None,
) -> str:
    """Write a model card, in Markdown with the Hub's header.

    Args:
        repository: ``owner/name`` on the Hub.
        adapters: {key: description}, at least one.
        domains: {key: domain} of those that have one.
        figures: the table of an evaluation, in Markdown.
        licence: of the weights, as the Hub names it; None: none is stated.

    Raises:
        InputError: the adapters belong to different bases.
    """
    first = next(iter(adapters.values()))
    bases = {info.base_sha256 for info in adapters.values()}
    if len(bases) > 1:
        raise InputError(f"{repository}: the adapters belong to {len(bases)} bases; share those of one base")
    parts = [
        _header(licence),
        f"# {repository.partition('/')[2]}",
        f"{len(adapters)} adapter{'s' * (len(adapters) > 1)} for language-queried audio source separation with dplass:",
        f'```sh\ndplass separate mix.wav --query "a dog barking" --adapters hf:{repository} --output out\n```',
        _base(first),
        _domains(adapters, domains),
        _training(first),
        f"## Figures\n\n{figures.strip()}" if figures else "No evaluation is included.",
    ]
    return "\n\n".join(parts) + "\n"


def _header(licence: str | None) -> str:
    lines = [f"license: {licence}"] if licence else []
    return "\n".join(["---", *lines, "library_name: dplass", "tags:", *(f"- {tag}" for tag in _TAGS), "---"])


def _base(info: AdapterInfo) -> str:
    return (
        "## Base\n\n"
        f"They belong to the base whose tensors have the sha256 `{info.base_sha256}`, and to the query encoder with the"
        f" fingerprint `{info.encoder_fingerprint or 'unknown'}`; dplass refuses them on others."
    )


def _domains(adapters: Mapping[str, AdapterInfo], domains: Mapping[str, BankDomain]) -> str:
    rows = ["| adapter | method | domain | captions |", "|---|---|---|---|"]
    for key, info in adapters.items():
        domain = domains.get(key)
        name = domain.name if domain else str(info.domain.get("name", ""))
        captions = some(list(domain.captions), _MOST_CAPTIONS) if domain else ""
        rows.append(f"| {key} | {info.method} | {_cell(name)} | {_cell(captions)} |")
    return "## Domains\n\n" + "\n".join(rows)


def _training(info: AdapterInfo) -> str:
    settings = [f"| {name} | {_cell(value)} |" for name, value in _flat(info.training)]
    made_with = ", ".join(f"{name} {version}" for name, version in info.versions.items())
    rows = "\n".join(["| setting | value |", "|---|---|", *settings]) if settings else "The settings are not known."
    return f"## Training\n\n{rows}" + (f"\n\nMade with {made_with}." if made_with else "")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    pairs: list[tuple[str, Any]] = []
    for name, value in settings.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return pairs


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
