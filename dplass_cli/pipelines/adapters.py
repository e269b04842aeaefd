"""``adapters``: inspect adapters, and convert them to other forms."""

from __future__ import annotations

from dataclasses import replace

from dplass_cli.adapters.adapter_folder import read_description, require_separate_output, save_adapter
from dplass_cli.adapters.algebra import compress, merge, relative_changes
from dplass_cli.adapters.bank_folder import load_single_adapter, single_adapter
from dplass_cli.adapters.cost_report import AdapterReport, cost_report
from dplass_cli.adapters.dplass_format import contained_base, from_published, read_published, to_published
from dplass_cli.adapters.importing import ImportResult, import_files
from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, load_base, save_base
from dplass_cli.models.audiosep_checkpoint import write_audiosep, write_checkpoint
from dplass_cli.options.adapters_options import (
    AdaptersCompressOptions,
    AdaptersDiffOptions,
    AdaptersExportOptions,
    AdaptersImportOptions,
    AdaptersInfoOptions,
    AdaptersMergeOptions,
)
from dplass_cli.options.model_options import BaseOptions
from dplass_cli.options.network_settings import network_config
from dplass_cli.storage import Progress, no_progress


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
        config = None if options.base_checkpoint == "tiny" else _base(options).config
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
        write_audiosep(output, network, None if base == "tiny" else base, trust)


def compress_adapter(options: AdaptersCompressOptions) -> dict[str, float]:
    """Write the ``lora`` adapter of a rank that is nearest to a weight delta.

    Returns:
        {path of a layer: share of the squared norm of its delta that is kept}.

    Raises:
        InputError: the rank is invalid, the adapter is not a weight delta, or the folder cannot be written.
    """
    require_separate_output(options.output, single_adapter(options.adapter))
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
