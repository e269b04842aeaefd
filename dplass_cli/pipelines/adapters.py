"""``adapters``: inspect adapters, and convert them to other forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from dplass_cli.adapters.adapter_folder import (
    DESCRIPTION,
    AdapterInfo,
    read_description,
    require_separate_output,
    save_adapter,
    stored_fingerprint,
)
from dplass_cli.adapters.algebra import compress, merge, relative_changes
from dplass_cli.adapters.bank_folder import (
    BANK,
    SHARED_FILES,
    bank_place,
    find_adapters,
    load_single_adapter,
    read_bank,
    single_adapter,
)
from dplass_cli.adapters.cost_report import AdapterReport, cost_report
from dplass_cli.adapters.dplass_format import contained_base, from_published, read_published, to_published
from dplass_cli.adapters.importing import ImportResult, import_files
from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.errors import InputError
from dplass_cli.evaluation.results_folder import TABLE, read_results
from dplass_cli.models import BaseModel, load_base, save_base
from dplass_cli.models.audiosep_checkpoint import write_audiosep, write_checkpoint
from dplass_cli.options.adapters_options import (
    AdaptersCompressOptions,
    AdaptersDiffOptions,
    AdaptersExportOptions,
    AdaptersImportOptions,
    AdaptersInfoOptions,
    AdaptersMergeOptions,
    AdaptersPushOptions,
)
from dplass_cli.options.model_options import BaseOptions
from dplass_cli.options.network_settings import network_config
from dplass_cli.options.parse import to_mapping
from dplass_cli.reports.model_card import model_card
from dplass_cli.resources import BUNDLED_MODELS
from dplass_cli.storage import Progress, json_text, no_progress, read_text
from dplass_cli.weights.hub import CARD, parse_hub_address, push_to_hub


def describe(options: AdaptersInfoOptions) -> AdapterReport:
    """Count the parameters and multiply-accumulates of an adapter over its base, or of a base alone.

    An adapter folder describes its network, so its base is not loaded.

    Raises:
        InputError: there is not exactly one adapter, or it is damaged.
    """
    adapter = options.adapter
    if adapter is None:
        return cost_report(_base(options).config, None)
    if adapter.is_file():
        published = read_published(adapter, options.trust_checkpoint)
        config = None if options.base_checkpoint in BUNDLED_MODELS else _base(options).config
        network = contained_base(published, config)
        return cost_report(network.config, from_published(published, network, network.sha256()).info)
    info = read_description(single_adapter(adapter))
    return cost_report(network_config(info.architecture, str(adapter)), info)


def import_adapters(options: AdaptersImportOptions, progress: Progress = no_progress) -> ImportResult:
    """Turn DP-LASS adapter files into adapter folders; with a partition, into a bank.

    Raises:
        InputError: a file is not an adapter, belongs to another base, or to a domain that the partition lacks.
    """
    partition = read_partition(options.partition) if options.partition else None
    base = load_base(options.base_checkpoint, trust=options.trust_checkpoint) if options.base_checkpoint else None
    return import_files(options, base, partition, progress)


def export_adapter(options: AdaptersExportOptions) -> None:
    """Write an adapter as a file that DP-LASS's code loads: a whole wrapped model.

    Raises:
        InputError: the file format cannot represent the adapter, or it belongs to another base.
    """
    require_separate_output(options.output, single_adapter(options.adapter), options.base_checkpoint)
    network = _base(options)
    adapter = load_single_adapter(options.adapter, network, options.trust_checkpoint)
    write_checkpoint(options.output, to_published(adapter, network))


def merge_adapter(options: AdaptersMergeOptions) -> None:
    """Write the base with an adapter merged into it as a plain base: safetensors, or AudioSep's ``.ckpt``.

    Raises:
        InputError: the adapter is not a weight delta, the suffix is unknown, or AudioSep's code cannot represent the
            network.
    """
    output, base, trust = options.output, options.base_checkpoint, options.trust_checkpoint
    if output.suffix not in (".safetensors", ".ckpt"):
        raise InputError(f"--output {output}: must end in .safetensors or .ckpt")
    require_separate_output(output, single_adapter(options.adapter), base)
    network = _base(options)
    merge(load_single_adapter(options.adapter, network, trust), network)
    if output.suffix == ".safetensors":
        save_base(output, network, network.encoder_fingerprint)
    else:
        write_audiosep(output, network, None if base in BUNDLED_MODELS else base, trust)


def compress_adapter(options: AdaptersCompressOptions) -> dict[str, float]:
    """Write the ``lora`` adapter of a rank that is nearest to a weight delta.

    Returns:
        {path of a layer: share of the squared norm of its delta that is kept}.

    Raises:
        InputError: the rank is invalid, the adapter is not a weight delta, or the folder cannot be written.
    """
    require_separate_output(options.output, single_adapter(options.adapter))
    if (options.output / BANK).is_file():
        raise InputError(f"--output {options.output}: is a bank; give a folder for the one adapter")
    network = _base(options)
    adapter = load_single_adapter(options.adapter, network, options.trust_checkpoint)
    compressed, kept = compress(adapter, network, options.rank)
    stored = options.dtype or adapter.info.dtype
    save_adapter(options.output, replace(compressed, info=replace(compressed.info, dtype=stored)))
    return kept


def compare(options: AdaptersDiffOptions) -> dict[str, float]:
    """The relative change of every layer from one adapter to another, or from the base to one.

    Raises:
        InputError: an adapter is not a weight delta, or belongs to another base.
    """
    network, trust = _base(options), options.trust_checkpoint
    adapter = load_single_adapter(options.first, network, trust)
    if options.second is None:
        return relative_changes(network, None, adapter)
    return relative_changes(network, adapter, load_single_adapter(options.second, network, trust))


def _base(options: BaseOptions) -> BaseModel:
    return load_base(options.base_checkpoint, trust=options.trust_checkpoint)


@dataclass(frozen=True)
class Pushed:
    """Result of :func:`push_adapters`.

    Attributes:
        address: ``hf:owner/name@commit``.
        adapters: keys of the adapters.
    """

    address: str
    adapters: tuple[str, ...]


def push_adapters(options: AdaptersPushOptions) -> Pushed:
    """Upload a bank or an adapter folder to the Hub, with a card that is written from it and from an evaluation.

    Raises:
        InputError: the adapters are damaged or published files, the evaluation is of others, or access is refused.
        RunError: the Hub cannot be reached.
    """
    folder = bank_place(options.bank)
    places = {key: place for key, place in find_adapters(folder).items() if place.is_dir()}
    infos = {key: without_folders(read_description(place)) for key, place in places.items()}
    if not infos:
        raise InputError(f"{options.bank}: is a published file; make a bank of it with dplass adapters import")
    domains = read_bank(folder) if (folder / BANK).is_file() else {}
    figures = None
    if options.evaluation is not None:
        figures = _figures(options.evaluation, {info.base_sha256 for info in infos.values()}, places.values())
    card = model_card(parse_hub_address(options.address).repository, infos, domains, figures, options.licence)
    descriptions = {
        (place.relative_to(folder) / DESCRIPTION).as_posix(): json_text(to_mapping(infos[key])).encode()
        for key, place in places.items()
    }
    message = f"{len(infos)} adapter{'s' * (len(infos) > 1)}"
    contents = {**descriptions, CARD: card.encode()}
    pushed = push_to_hub(folder, options.address, SHARED_FILES, contents, options.private, message)
    return Pushed(str(pushed), tuple(infos))


def without_folders(info: AdapterInfo) -> AdapterInfo:
    """A description without the folders of this machine, which its training settings may name."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: clean(inner) for name, inner in value.items()}
        if isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
            return PureWindowsPath(value).name  # which takes both separators
        return value

    return replace(info, training=clean(info.training))


def _figures(evaluation: Path, bases: Collection[str], adapters: Collection[Path]) -> str:
    """The table of an evaluation, in Markdown; InputError if it is of another base, or of other adapters."""
    results = read_results(evaluation)
    if (base := results.get("base_sha256")) not in bases:
        raise InputError(f"--evaluation {evaluation}: is of another base ({str(base)[:12]}…) than the adapters")
    if set(results.get("adapters_sha256", {}).values()) != {stored_fingerprint(folder) for folder in adapters}:
        raise InputError(f"--evaluation {evaluation}: is of other adapters; evaluate these ones, with --adapters")
    return read_text(evaluation / TABLE)
