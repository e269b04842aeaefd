"""``doctor``: check everything that a run needs, before it starts.

Each check calls the function that the run will call, and turns its result or its error into a row.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import torch

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.prepare.checking import check_clips
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.devices import choose_device, nvidia_driver
from dplass_cli.domains.partition_folder import PARTITION_FILE, read_partition
from dplass_cli.encoders import QueryEncoder, load_encoder, space_of
from dplass_cli.errors import DplassError, InputError, first_line, some
from dplass_cli.evaluation.items import check_items, find_items
from dplass_cli.extras import missing_libraries
from dplass_cli.models import BaseModel, check_encoder, load_base
from dplass_cli.options.doctor_options import DoctorOptions
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.options.prepare_options import ClipLimits
from dplass_cli.resources import shown_hash
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import default_adapters
from dplass_cli.storage import Progress, file_sha256, free_space, no_progress
from dplass_cli.versions import unmet_requirements
from dplass_cli.weights.known_files import published_hashes
from dplass_cli.weights.named_models import resolve_model

_FREE_BYTES = 2 << 30  # for the checkpoints, the bank and the logs of a run
_READERS = 4
_COMPARISON_RATE = 32_000  # Hz; the lengths of mixtures and references are compared at this rate
_INSTALL = "pip install --constraint constraints.txt ."


@dataclass(frozen=True)
class DoctorCheck:
    """The result of a check.

    Attributes:
        what: what was checked.
        state: ``ok``, ``note`` or ``wrong``.
        found: what was found.
        remedy: what to do about it; empty if it is ok.
    """

    what: str
    state: Literal["ok", "note", "wrong"]
    found: str
    remedy: str = ""


def doctor(options: DoctorOptions, progress: Progress = no_progress) -> list[DoctorCheck]:
    """Check what a run needs. Nothing is written, and errors become rows instead of being raised."""
    checks: list[DoctorCheck] = []
    models = _Models(options)
    steps: list[tuple[str, Callable[[], Iterable[DoctorCheck]]]] = [
        ("versions", _check_versions),
        ("device", lambda: _check_device(options.device)),
        ("disk", lambda: _check_disk(options.workspace)),
        ("base", models.check_base),
        ("encoder", models.check_encoder),
        ("adapters", models.check_adapters),
        ("hashes", lambda: _check_hashes(models.spec)),
        ("data", lambda: _check_data(options, models, progress)),
        ("benchmark", lambda: _check_benchmark(options)),
    ]
    for done, (what, step) in enumerate(steps):
        progress(done, len(steps), f"checking {what}")
        try:
            for check in step():  # one by one, to keep those before an error
                checks.append(check)
        except DplassError as error:  # the remedy is the part of a message after the last semicolon
            found, _, remedy = str(error).rpartition("; ")
            checks.append(DoctorCheck(what, "wrong", found or remedy, remedy if found else "see the message"))
        except (OSError, RuntimeError) as error:  # such as a file name that is too long, or a GPU that is busy
            checks.append(DoctorCheck(what, "wrong", first_line(error), "see the message"))
    progress(len(steps), len(steps), "checking")
    return checks


def _check_versions() -> Iterator[DoctorCheck]:
    """The installed packages are in the ranges that this package requires."""
    try:
        required = requires("dplass") or ()
    except PackageNotFoundError:
        yield DoctorCheck("versions", "note", "dplass runs from its sources", _INSTALL)
        return
    if unmet := unmet_requirements(required):
        yield DoctorCheck("versions", "wrong", some(unmet), _INSTALL)
        return
    names = ("torch", "numpy", *(() if missing_libraries("train") else ("lightning",)))
    installed = [f"{name} {version(name)}" for name in names]
    yield DoctorCheck("versions", "ok", ", ".join([f"Python {platform.python_version()}", *installed]))


def _check_device(name: str) -> Iterator[DoctorCheck]:
    """The device computes, and a CUDA device is used if there is one."""
    device, driver = choose_device(name), nvidia_driver()
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        memory = f"{free >> 20:,} of {total >> 20:,} MiB free"
        found = f"{torch.cuda.get_device_properties(device).name}, {memory}, driver {driver or 'unknown'}"
        yield DoctorCheck("device", "ok", found)
        if free < total // 2:
            yield DoctorCheck("device", "note", "more than half of its memory is in use", "nvidia-smi shows by whom")
    elif device.type == "cpu" and name == "auto" and driver is not None:
        if torch.version.cuda is None:
            remedy = "install a build of torch with CUDA (pip install torch, without an index of CPU builds)"
        else:
            remedy = f"update the driver for CUDA {torch.version.cuda}, or check CUDA_VISIBLE_DEVICES"
        found = f"driver {driver} is installed, but torch {torch.__version__} cannot use it"
        yield DoctorCheck("device", "wrong", found, remedy)
    else:
        yield DoctorCheck("device", "ok", f"{device}, {torch.get_num_threads()} threads")
    try:
        torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)
    except RuntimeError as error:
        found = f"{device} does not compute ({first_line(error)})"
        yield DoctorCheck("device", "wrong", found, "update the driver, or use another --device")


def _check_disk(folder: Path) -> Iterator[DoctorCheck]:
    """The workspace can be written, and has space for a run."""
    free = free_space(folder)
    if free < _FREE_BYTES:
        found = f"{folder}: {free / 1e9:.1f} GB free of the {_FREE_BYTES / 1e9:.1f} GB that a run may need"
        yield DoctorCheck("disk", "wrong", found, "free space, or choose another --workspace")
    else:
        yield DoctorCheck("disk", "ok", f"{folder}: {free / 1e9:.0f} GB free")


class _Models:
    """The models that the run will load; each is loaded once, and checked with those it must fit."""

    def __init__(self, options: DoctorOptions) -> None:
        self._options = options
        self.base: BaseModel | None = None
        self.encoder: QueryEncoder | None = None

    @cached_property
    def spec(self) -> ModelSpec:
        """The models, with those that a name stands for."""
        return resolve_model(self._options.model)

    def check_base(self) -> Iterator[DoctorCheck]:
        self.base = load_base(self.spec.base, trust=self.spec.trust)
        parameters = sum(parameter.numel() for parameter in self.base.parameters())
        found = f"{self.base.source}: {parameters / 1e6:.1f} M parameters, sha256 {self.base.sha256()[:12]}"
        yield DoctorCheck("base", "ok", found)

    def check_encoder(self) -> Iterator[DoctorCheck]:
        name = str(self.spec.encoder or self.spec.base)
        self.encoder = load_encoder(name, self.spec.tokenizer, trust=self.spec.trust)
        yield DoctorCheck("encoder", "ok", f"{name}: {self.encoder.name}, {self.encoder.size} values per query")
        if self.base is not None:
            check_encoder(self.base, space_of(self.encoder), self.encoder.size, name)
        if not torch.isfinite(self.encoder.embed_text(["a dog barking"])).all():
            raise InputError(f"{name}: its embedding of a sentence is not finite; fetch the file again")

    def check_adapters(self) -> Iterator[DoctorCheck]:
        given = self.spec.adapters
        paths = default_adapters(self.spec.base) if given is None else given
        if self.base is None:
            if paths:
                yield DoctorCheck("adapters", "note", "not checked, because the base is missing", "fix the base first")
            return
        bank = AdapterBank(self.base)
        fitting = None if self.encoder is None else ("", space_of(self.encoder))
        for path in paths:
            keys = bank.load(path, self.spec.trust)
            other = [key for key in keys if fitting and bank.infos[key].encoder_fingerprint not in fitting]
            if other:
                found = f"{path}: {some(other)} were trained with another encoder"
                yield DoctorCheck("adapters", "wrong", found, "give that encoder with --encoder")
            else:
                yield DoctorCheck("adapters", "ok", f"{path}: {some(keys, 8)}")


def _check_hashes(spec: ModelSpec) -> Iterator[DoctorCheck]:
    """Files with the name of a known file have its hash."""
    known = published_hashes()
    given = [spec.base, spec.encoder, *(spec.adapters or ())]
    tokenizer = sorted(Path(spec.tokenizer).iterdir()) if spec.tokenizer and Path(spec.tokenizer).is_dir() else []
    for path in (*(Path(name) for name in given if name), *tokenizer):
        expected = known.get(path.name)
        if expected is None or not path.is_file():
            continue
        if (digest := file_sha256(path)) == expected:
            yield DoctorCheck("hashes", "ok", f"{path}: as published")
        else:
            found = f"{path}: sha256 {digest[:12]}, but {path.name} is published with {expected[:12]}"
            yield DoctorCheck("hashes", "wrong", found, "fetch it again: dplass weights fetch")


def _check_data(options: DoctorOptions, models: _Models, progress: Progress) -> Iterator[DoctorCheck]:
    """Manifests can be read, and so can the headers of a sample of their clips."""
    if options.data is None:
        return
    if options.data.is_dir() or options.data.name == PARTITION_FILE:
        folder = options.data if options.data.is_dir() else options.data.parent
        partition = read_partition(folder)
        manifests = [folder / f"domain{domain.id}.json" for domain in partition.domains if domain.clips]
        rows = [row for manifest in manifests for row in read_manifest(manifest)]
        yield DoctorCheck("data", "ok", f"{folder}: {len(partition.domains)} domains, {len(rows):,} rows")
        if models.encoder is not None and partition.encoder_fingerprint != space_of(models.encoder):
            made_with = f"{partition.encoder_name}, {shown_hash(partition.encoder_fingerprint)}"
            found = f"{folder}: made with another encoder ({made_with})"
            remedy = "partition again with the encoder of the base, or give that --encoder"
            yield DoctorCheck("data", "wrong", found, remedy)
    else:
        rows = read_manifest(options.data)
        yield DoctorCheck("data", "ok", f"{options.data}: {len(rows):,} rows")
    yield _check_clips(rows, options.clips, progress)


def _check_clips(rows: Iterable[Row], limit: int, progress: Progress) -> DoctorCheck:
    files = list(dict.fromkeys(str(row.wav) for row in rows))
    sample = files[:: max(1, -(-len(files) // limit))] if limit else files
    faults = []
    for done, result in enumerate(check_clips(map(SourceRange, sample), "header", ClipLimits())):
        progress(done, len(sample), "checking clips")
        if result.fault is not None:
            faults.append(f"{sample[done]}: {result.fault}")
    if faults:
        remedy = "prepare again with --check header; rejects.csv will list them"
        return DoctorCheck("clips", "wrong", f"{len(faults)} of {len(sample)} checked: {some(faults, 2)}", remedy)
    return DoctorCheck("clips", "ok", f"{len(sample):,} of {len(files):,} clips checked, all with valid headers")


def _check_benchmark(options: DoctorOptions) -> Iterator[DoctorCheck]:
    """The table of a benchmark can be read, and so can the headers of all its clips."""
    if options.benchmark is None and options.metadata_csv is None:
        return
    name = options.benchmark or "custom"
    benchmark, table, items = find_items(name, options.data_root, options.metadata_csv, options.audio_dir)
    yield DoctorCheck("benchmark", "ok", f"{name}: {len(items):,} items in {table}")
    _, unusable = check_items(items, _COMPARISON_RATE, benchmark.seconds, _READERS)
    if unusable:
        found = f"{len(unusable)} of {len(items)} items: {some(unusable.values(), 2)}"
        yield DoctorCheck("benchmark", "wrong", found, "check --audio-dir or --data-root")
    else:
        yield DoctorCheck("benchmark", "ok", f"the clips of all {len(items):,} items have valid headers")
