"""``adapters``: looking at adapters, and turning them into other forms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dplass_cli.adapters import AdapterSettings, make_adapters
from dplass_cli.adapters.adapter_folder import (
    DESCRIPTION,
    STATISTICS,
    WEIGHTS,
    AdapterInfo,
    LoadedAdapter,
    read_description,
    save_adapter,
)
from dplass_cli.adapters.algebra import compress, relative_changes
from dplass_cli.adapters.dplass_format import contained_base, from_published, read_published, to_published
from dplass_cli.adapters.injection import layer_at
from dplass_cli.domains.partition_folder import PARTITION_FILE, Partition, read_partition
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel, load_base, save_base
from dplass_cli.models.audiosep_checkpoint import write_audiosep, write_checkpoint
from dplass_cli.models.flops import LayerCost, layer_costs
from dplass_cli.models.resunet30 import ResUNet30, ResUNet30Config
from dplass_cli.options.parse import from_mapping
from dplass_cli.separation.bank import AdapterBank, bank_key, find_adapters, published_key, read_adapter, write_bank_of
from dplass_cli.storage import Progress, no_progress
from dplass_cli.versions import versions
from dplass_cli.weights.checkpoint_files import read_tensors


@dataclass(frozen=True)
class ListedAdapter:
    """An adapter in a list: its key, place, description, number of parameters, and bytes on disk."""

    key: str
    path: Path
    info: AdapterInfo
    parameters: int
    size: int


def list_adapters(paths: Iterable[Path], trust: bool = False) -> list[ListedAdapter]:
    """List the adapters of banks, adapter folders and published files; no base is needed.

    Raises:
        InputError: a path without adapters, or a damaged one.
    """
    found = []
    for path in paths:
        for key, place in find_adapters(path).items():
            if place.is_dir():
                tensors = read_tensors(place / WEIGHTS)[0]
                counted = sum(tensor.numel() for name, tensor in tensors.items() if not name.startswith(STATISTICS))
                size = sum(file.stat().st_size for file in place.iterdir())
                found.append(ListedAdapter(key, place, read_description(place), counted, size))
            else:
                published = read_published(place, trust)
                counted = sum(tensor.numel() for named in published.tensors.values() for tensor in named.values())
                info = AdapterInfo(published.method, {}, "", {}, training={"notes": list(published.notes)})
                found.append(ListedAdapter(key, place, info, counted, place.stat().st_size))
    return found


@dataclass(frozen=True)
class LayerReport:
    """A layer of a base with its adapter: its costs, and what the adapter adds to them."""

    cost: LayerCost
    adapter_parameters: int
    adapter_macs_per_second: float


@dataclass(frozen=True)
class AdapterReport:
    """What a base, or an adapter over one, consists of.

    Attributes:
        info: the adapter's description; None for a base alone.
        layers: a row a layer.
        total, trainable, dead: parameters of base and adapter; those that training changes; those without effect.
        macs_per_second, adapter_macs_per_second: multiply-accumulates a second of audio, of base and adapter.
        macs_per_query: those done once a query.
    """

    info: AdapterInfo | None
    layers: list[LayerReport]
    total: int
    trainable: int
    dead: int
    macs_per_second: float
    adapter_macs_per_second: float
    macs_per_query: float


def describe(adapter: Path | None, base_checkpoint: str = "tiny", trust: bool = False) -> AdapterReport:
    """Count the parameters and multiply-accumulates of an adapter over its base, or of a base alone.

    An adapter folder says which network it is for, so its base is not needed. A merged linear adapter costs nothing;
    what ``conv-adapter`` computes beside a layer is counted.

    Raises:
        InputError: not one adapter, or a damaged one.
    """
    info: AdapterInfo | None = None
    base = partial(load_base, base_checkpoint, trust=trust)
    if adapter is None:
        config = base().config
    elif adapter.is_file():
        published = read_published(adapter, trust)
        network = contained_base(published, None if base_checkpoint == "tiny" else base().config)
        info, config = from_published(published, network, network.sha256()).info, network.config
    else:
        info = read_description(one_adapter(adapter))
        config = from_mapping(ResUNet30Config, info.architecture, str(adapter))
    plain = layer_costs(config)
    counts: dict[str, int] = {}

    def attach(network: ResUNet30) -> None:
        assert info is not None
        for path, layer in make_adapters(network, info.method, info.layers).items():
            counts[path] = sum(parameter.numel() for parameter in layer.parameters())
            if not layer.linear:
                layer.attach(layer_at(network, path))

    laden = plain if info is None else layer_costs(config, attach)
    layers = [
        LayerReport(cost, counts.get(cost.path, 0), with_adapter.macs_per_second - cost.macs_per_second)
        for cost, with_adapter in zip(plain, laden, strict=True)
    ]
    dead = sum(cost.dead for cost in plain)
    size, added = sum(cost.parameters for cost in plain), sum(counts.values())
    return AdapterReport(
        info,
        layers,
        size + added,
        size if info is None else added,
        dead,
        sum(cost.macs_per_second for cost in plain),
        sum(layer.adapter_macs_per_second for layer in layers),
        sum(cost.macs_per_query for cost in plain),
    )


def one_adapter(path: Path) -> Path:
    """The place of the one adapter at a path.

    Raises:
        InputError: there is none, or there are several.
    """
    found = find_adapters(path)
    if len(found) > 1:
        raise InputError(
            f"{path}: holds {len(found)} adapters; name one of {some([str(p) for p in found.values()], 9)}"
        )
    return next(iter(found.values()))


@dataclass(frozen=True)
class ImportOptions:
    """Options of ``adapters import``.

    Attributes:
        files: published adapter files.
        output: the folder that becomes a bank with ``partition``, else a folder of adapter folders.
        base_checkpoint: the base whose frozen weights the files must hold; None takes the contained one and writes it
            to ``base.safetensors`` in the output.
        partition: the partition whose domains the files' clusters are.
        adapter: what the files do not say (``rank`` of reconv, ``alpha``), and the ``dtype`` to store.
        trust_checkpoint: read pickled files that hold more than weights; such files can run code.
    """

    files: tuple[Path, ...] = field(metadata={"given": "a published file, such as cluster3_model.pt,"})
    output: Path
    base_checkpoint: str | None = None
    partition: Path | None = None
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    trust_checkpoint: bool = False


@dataclass(frozen=True)
class ImportResult:
    """The adapter folders by key, the notes on each file, and the written base, if one was."""

    adapters: dict[str, Path]
    notes: dict[str, tuple[str, ...]]
    base: Path | None


def import_adapters(options: ImportOptions, progress: Progress = no_progress) -> ImportResult:
    """Turn published files into adapter folders; with a partition, into a bank.

    Raises:
        InputError: a file that is no adapter, of another base, or of a cluster that the partition lacks.
    """
    partition = read_partition(options.partition) if options.partition else None
    if partition and (options.output / PARTITION_FILE).exists():
        raise InputError(f"--output {options.output}: holds a partition; give a folder for the bank")
    keys = _import_keys(options.files, partition)
    network: BaseModel | None = None
    if options.base_checkpoint is not None:
        network = load_base(options.base_checkpoint, trust=options.trust_checkpoint)
    written_base = None
    base_sha256 = network.sha256() if network else ""
    notes: dict[str, tuple[str, ...]] = {}
    for number, (key, path) in enumerate(keys.items()):
        progress(number, len(keys), f"importing {path.name}")
        published = read_published(path, options.trust_checkpoint)
        if network is None:
            network = contained_base(published)
            base_sha256, written_base = network.sha256(), options.output / "base.safetensors"
            save_base(written_base, network, None)
        adapter = from_published(published, network, base_sha256, options.adapter)
        domain = next((d for d in partition.domains if bank_key(d.id) == key), None) if partition else None
        info = replace(
            adapter.info,
            domain={} if domain is None else {"id": domain.id, "name": domain.name},
            encoder_fingerprint=partition.encoder_fingerprint if partition else "",
            dtype=options.adapter.dtype,
            versions=versions(),
        )
        save_adapter(options.output / key, replace(adapter, info=info))
        notes[key] = published.notes
    if partition is not None:
        write_bank_of(options.output, partition, base_sha256, keys)
    progress(len(keys), len(keys), "imported")
    return ImportResult({key: options.output / key for key in keys}, notes, written_base)


def _import_keys(files: Iterable[Path], partition: Partition | None) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for path in files:
        key = published_key(path)
        if key in keys:
            raise InputError(f"{path}: is {key} as {keys[key]} is; rename one (cluster3_model.pt is domain 3)")
        if partition is not None and key not in {bank_key(domain.id) for domain in partition.domains}:
            raise InputError(
                f"{path}: its name tells no domain of the partition; name it cluster0_model.pt for domain 0"
            )
        keys[key] = path
    if not keys:
        raise InputError("no file is given; name the published files to import")
    return keys


def _refuse_its_own(output: Path, *sources: str | Path) -> None:
    """Refuse to write over what is read, or a file of it: the base or the adapter would be lost."""
    written = output.resolve()
    for source in (Path(source).resolve() for source in sources):
        within = written.parent == source and written.name in (WEIGHTS, DESCRIPTION)
        if written == source or within or (output.exists() and source.exists() and output.samefile(source)):
            raise InputError(f"--output {output}: would write over what it is made of; give another")


def load_one(path: Path, network: BaseModel, trust: bool = False) -> LoadedAdapter:
    """Load the one adapter at a path for a base.

    Raises:
        InputError: not one adapter, or not one of this base.
    """
    return read_adapter(one_adapter(path), network, network.sha256(), trust)


def export_adapter(path: Path, output: Path, base_checkpoint: str = "tiny", trust: bool = False) -> None:
    """Write an adapter as DP-LASS's code loads it: a whole wrapped model.

    Raises:
        InputError: it has no published form, or does not fit the base.
    """
    _refuse_its_own(output, one_adapter(path), base_checkpoint)
    network = load_base(base_checkpoint, trust=trust)
    adapter = load_one(path, network, trust)
    write_checkpoint(output, to_published(adapter, network))


def merge_adapter(path: Path, output: Path, base_checkpoint: str = "tiny", trust: bool = False) -> None:
    """Write the base with an adapter merged into it, a plain base: safetensors, or AudioSep's ``.ckpt``.

    Raises:
        InputError: an adapter that cannot merge, another suffix, or a network that the form cannot hold.
    """
    if output.suffix not in (".safetensors", ".ckpt"):
        raise InputError(f"--output {output}: must end in .safetensors or .ckpt")
    _refuse_its_own(output, one_adapter(path), base_checkpoint)
    network = load_base(base_checkpoint, trust=trust)
    adapter = load_one(path, network, trust)
    if not all(layer.linear for layer in adapter.layers.values()):
        raise InputError(
            f"{path}: an adapter of method {adapter.info.method!r} is no change of weights; it cannot merge"
        )
    bank = AdapterBank(network)
    bank.add("merged", adapter)
    bank.activate("merged")
    if output.suffix == ".safetensors":
        save_base(output, network, network.encoder_fingerprint)
    else:
        write_audiosep(output, network, None if base_checkpoint == "tiny" else base_checkpoint, trust)


def compress_adapter(
    path: Path, output: Path, rank: int, base_checkpoint: str = "tiny", dtype: str | None = None, trust: bool = False
) -> dict[str, float]:
    """Write the ``lora`` of a rank that is nearest to a linear adapter; returns the energy kept by layer.

    Raises:
        InputError: as :func:`~dplass_cli.adapters.algebra.compress`, or a folder that cannot be written.
    """
    _refuse_its_own(output, one_adapter(path))
    network = load_base(base_checkpoint, trust=trust)
    adapter = load_one(path, network, trust)
    compressed, kept = compress(adapter, network, rank)
    stored = from_mapping(AdapterSettings, {"dtype": dtype or adapter.info.dtype}, "--dtype").dtype
    save_adapter(output, replace(compressed, info=replace(compressed.info, dtype=stored)))
    return kept


def compare(first: Path, second: Path | None, base_checkpoint: str = "tiny", trust: bool = False) -> dict[str, float]:
    """Relative change of every layer from one adapter to another, or from the base to one.

    Raises:
        InputError: as :func:`~dplass_cli.adapters.algebra.relative_changes`.
    """
    network = load_base(base_checkpoint, trust=trust)
    adapters = [None if path is None else load_one(path, network, trust) for path in (first, second)]
    return relative_changes(network, *(adapters if second else reversed(adapters)))
