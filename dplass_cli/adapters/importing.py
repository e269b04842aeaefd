"""Importing DP-LASS's adapter files as adapter folders or as a bank."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dplass_cli.adapters.adapter_folder import save_adapter
from dplass_cli.adapters.bank_folder import bank_key, measured_gains, published_key, write_partition_bank
from dplass_cli.adapters.dplass_format import contained_base, from_published, read_published
from dplass_cli.domains.partition_folder import PARTITION_FILE, Partition
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, save_base
from dplass_cli.options.adapters_options import AdaptersImportOptions
from dplass_cli.storage import Progress, no_progress
from dplass_cli.versions import versions


@dataclass(frozen=True)
class ImportResult:
    """Result of :func:`import_files`.

    Attributes:
        adapters: {key: adapter folder}.
        notes: {key: what was found wrong in the file, and what was done about it}.
        base: the base that was written; None if one was given.
    """

    adapters: dict[str, Path]
    notes: dict[str, tuple[str, ...]]
    base: Path | None


def import_files(
    options: AdaptersImportOptions,
    base: BaseModel | None = None,
    partition: Partition | None = None,
    progress: Progress = no_progress,
) -> ImportResult:
    """Turn DP-LASS adapter files into adapter folders; with a partition, into a bank of its domains.

    The files must contain the frozen weights of the base; without one, that of the first file is written to
    ``base.safetensors`` in the output. InputError if a file does not fit the base or the partition.
    """
    output, settings = options.output, options.adapter
    if partition and (output / PARTITION_FILE).exists():
        raise InputError(f"--output {output}: contains a partition; give another folder for the bank")
    keys = _keys(options.files, partition)
    if partition:
        measured_gains(output, keys)  # a damaged bank is refused before anything is written
    domains = {bank_key(domain.id): domain for domain in partition.domains} if partition else {}
    base_sha256 = base.sha256() if base else ""
    written_base = None
    notes: dict[str, tuple[str, ...]] = {}
    for number, (key, path) in enumerate(keys.items()):
        progress(number, len(keys), f"importing {path.name}")
        published = read_published(path, options.trust_checkpoint)
        if base is None:
            base = contained_base(published)
            base_sha256, written_base = base.sha256(), output / "base.safetensors"
            save_base(written_base, base, None)
        adapter = from_published(published, base, base_sha256, settings)
        domain = domains.get(key)
        info = replace(
            adapter.info,
            domain={} if domain is None else {"id": domain.id, "name": domain.name},
            encoder_fingerprint=partition.encoder_fingerprint if partition else "",
            dtype=settings.dtype,
            versions=versions(),
        )
        save_adapter(output / key, replace(adapter, info=info))
        notes[key] = published.notes
    if partition is not None:
        write_partition_bank(output, partition, base_sha256, keys)
    progress(len(keys), len(keys), "imported")
    return ImportResult({key: output / key for key in keys}, notes, written_base)


def _keys(files: Iterable[Path], partition: Partition | None) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for path in files:
        key = published_key(path)
        if key in keys:
            raise InputError(f"{path}: is {key}, and so is {keys[key]}; rename one (cluster3_model.pt is domain 3)")
        if partition is not None and key not in {bank_key(domain.id) for domain in partition.domains}:
            raise InputError(
                f"{path}: its name contains no domain of the partition; name it cluster0_model.pt for domain 0"
            )
        keys[key] = path
    if not keys:
        raise InputError("no files given; name the DP-LASS adapter files to import")
    return keys
