"""``doctor``: everything that a run needs, before it starts.

What loads a thing also judges it: a check calls the loader that the run will call, and makes a row of what it says.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import torch

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.prepare.checking import check_clips
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.devices import choose_device
from dplass_cli.domains.partition_folder import PARTITION_FILE, read_partition
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.errors import DplassError, InputError, first_line, some
from dplass_cli.evaluation.items import check_items, find_items
from dplass_cli.models import BaseModel, check_encoder, load_base
from dplass_cli.options.doctor_options import DoctorOptions
from dplass_cli.options.prepare_options import ClipLimits
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import default_adapters
from dplass_cli.storage import Progress, file_sha256, no_progress
from dplass_cli.weights.known_files import read_known_files

State = Literal["ok", "note", "wrong"]

_FREE_BYTES = 2 << 30  # checkpoints, a bank and logs of a run
_READERS = 4
_ANY_RATE = 32_000  # lengths are compared at it
_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class DoctorCheck:
    """One line: what was looked at, whether it is right, what was found, and what to do if it is not."""

    what: str
    state: State
    found: str
    remedy: str = ""


def doctor(options: DoctorOptions, progress: Progress = no_progress) -> list[DoctorCheck]:
    """Check what a run needs. Nothing is written, and nothing raised: what is wrong is a row."""
    checks: list[DoctorCheck] = []
    models = _Models(options)
    steps: list[tuple[str, Callable[[], Iterable[DoctorCheck]]]] = [
        ("versions", _versions),
        ("device", lambda: _device(options.device)),
        ("disk", lambda: _disk(options.workspace)),
        ("base", models.check_base),
        ("encoder", models.check_encoder),
        ("adapters", models.check_adapters),
        ("hashes", lambda: _hashes(options)),
        ("data", lambda: _data(options, models, progress)),
        ("benchmark", lambda: _benchmark(options)),
    ]
    for done, (what, step) in enumerate(steps):
        progress(done, len(steps), f"checking {what}")
        try:
            for check in step():
                checks.append(check)
        except DplassError as error:
            checks.append(_wrong(what, error))
        except (OSError, RuntimeError) as error:  # a name too long, a card that is busy
            checks.append(DoctorCheck(what, "wrong", first_line(error), "see the message"))
    progress(len(steps), len(steps), "checking")
    return checks


def _wrong(what: str, error: Exception) -> DoctorCheck:
    """A row of an error: its part after the last semicolon says what to do, as all our errors do."""
    found, semicolon, remedy = str(error).rpartition("; ")
    return (
        DoctorCheck(what, "wrong", found, remedy)
        if semicolon
        else DoctorCheck(what, "wrong", remedy, "see the message")
    )


def _versions() -> Iterator[DoctorCheck]:
    """Installed packages against the ranges that this package asks for."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("dplass") or ()]
    except PackageNotFoundError:
        yield DoctorCheck(
            "versions", "note", "dplass runs from its sources", "pip install --constraint constraints.txt ."
        )
        return
    bad = []
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            bad.append(f"{requirement.name} is not installed")
        else:
            if not requirement.specifier.contains(installed, prereleases=True):
                bad.append(f"{requirement.name} {installed}, not {requirement.specifier}")
    if bad:
        yield DoctorCheck("versions", "wrong", some(bad), "pip install --constraint constraints.txt .")
    else:
        yield DoctorCheck(
            "versions",
            "ok",
            f"Python {platform.python_version()}, torch {torch.__version__}, lightning {version('lightning')},"
            f" numpy {version('numpy')}",
        )


def _device(name: str) -> Iterator[DoctorCheck]:
    """The device works, and an NVIDIA card that is there is used."""
    device = choose_device(name)
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        yield DoctorCheck("device", "ok", f"{properties.name}, {free >> 20:,} of {total >> 20:,} MiB free, {_driver()}")
        if free < total // 2:
            yield DoctorCheck("device", "note", "half of its memory is taken", "see nvidia-smi for who else uses it")
    elif device.type == "cpu" and name == "auto" and _DRIVER.exists():
        if torch.version.cuda is None:
            remedy = "install a build of torch with CUDA (pip install torch, without an index of CPU builds)"
        else:
            remedy = f"update the driver for CUDA {torch.version.cuda}, or check CUDA_VISIBLE_DEVICES"
        yield DoctorCheck(
            "device", "wrong", f"{_driver()} is there, but torch {torch.__version__} cannot use it", remedy
        )
    else:
        yield DoctorCheck("device", "ok", f"{device}, {torch.get_num_threads()} threads")
    try:
        torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)
    except RuntimeError as error:
        found = f"{device} does not compute ({first_line(error)})"
        yield DoctorCheck("device", "wrong", found, "update the driver, or take another --device")


def _driver() -> str:
    """The NVIDIA driver's version, as the kernel tells it."""
    try:
        words = _DRIVER.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return "driver unknown"
    return f"driver {next((word for word in words if word[0].isdigit()), 'unknown')}"


def _disk(folder: Path) -> Iterator[DoctorCheck]:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield DoctorCheck("disk", "wrong", f"{place}: cannot write there", "choose another --workspace")
    elif free < _FREE_BYTES:
        found = f"{place}: {free / 1e9:.1f} GB free of the {_FREE_BYTES / 1e9:.1f} GB that a run may need"
        yield DoctorCheck("disk", "wrong", found, "free space, or choose another --workspace")
    else:
        yield DoctorCheck("disk", "ok", f"{place}: {free / 1e9:.0f} GB free")


class _Models:
    """The models that the run will load; each is loaded once, and checked with those it must fit."""

    def __init__(self, options: DoctorOptions) -> None:
        self._options = options
        self.base: BaseModel | None = None
        self.encoder: QueryEncoder | None = None

    def check_base(self) -> Iterator[DoctorCheck]:
        self.base = load_base(self._options.base_checkpoint, trust=self._options.trust_checkpoint)
        parameters = sum(parameter.numel() for parameter in self.base.parameters())
        found = f"{self.base.source}: {parameters / 1e6:.1f} M parameters, sha256 {self.base.sha256()[:12]}"
        yield DoctorCheck("base", "ok", found)

    def check_encoder(self) -> Iterator[DoctorCheck]:
        options = self._options
        name = str(options.encoder or options.base_checkpoint)
        self.encoder = load_encoder(name, options.tokenizer, trust=options.trust_checkpoint)
        yield DoctorCheck("encoder", "ok", f"{name}: {self.encoder.name}, {self.encoder.size} values a query")
        if self.base is not None:
            check_encoder(self.base, self.encoder.fingerprint, self.encoder.size, name)
        if not torch.isfinite(self.encoder.embed_text(["a dog barking"])).all():
            raise InputError(f"{name}: embeds a sentence to what is not finite; fetch the file again")

    def check_adapters(self) -> Iterator[DoctorCheck]:
        paths = self._options.adapters
        if paths is None:
            paths = default_adapters(self._options.base_checkpoint)
        if self.base is None:
            if paths:
                yield DoctorCheck("adapters", "note", "not checked, since there is no base", "mend the base first")
            return
        bank = AdapterBank(self.base)
        for path in paths:
            keys = bank.load(path, self._options.trust_checkpoint)
            foreign = [key for key in keys if not self._made_for(bank.infos[key].encoder_fingerprint)]
            if foreign:
                found_keys = f"{path}: {some(foreign)} were trained with another encoder"
                yield DoctorCheck("adapters", "wrong", found_keys, "give that encoder with --encoder")
            else:
                yield DoctorCheck("adapters", "ok", f"{path}: {some(keys, 8)}")

    def _made_for(self, fingerprint: str) -> bool:
        return self.encoder is None or fingerprint in ("", self.encoder.fingerprint)


def _hashes(options: DoctorOptions) -> Iterator[DoctorCheck]:
    """Files that are published with a hash have it."""
    published = {
        file.name: file.sha256 for row in read_known_files().values() for file in row.files if file.sha256 is not None
    }
    given = [options.base_checkpoint, options.encoder, *(options.adapters or ())]
    tokenizer = sorted(options.tokenizer.iterdir()) if options.tokenizer and options.tokenizer.is_dir() else []
    for path in (*(Path(name) for name in given if name), *tokenizer):
        expected = published.get(path.name)
        if expected is None or not path.is_file():
            continue
        digest = file_sha256(path)
        if digest == expected:
            yield DoctorCheck("hashes", "ok", f"{path}: as published")
        else:
            found = f"{path}: sha256 {digest[:12]}, but {path.name} is published with {expected[:12]}"
            yield DoctorCheck("hashes", "wrong", found, "fetch it again: dplass weights fetch")


def _data(options: DoctorOptions, models: _Models, progress: Progress) -> Iterator[DoctorCheck]:
    """Manifests are read, and the headers of some of their clips."""
    if options.data is None:
        return
    if options.data.is_dir() or options.data.name == PARTITION_FILE:
        folder = options.data if options.data.is_dir() else options.data.parent
        partition = read_partition(folder)
        manifests = [folder / f"domain{domain.id}.json" for domain in partition.domains if domain.clips]
        rows = [row for manifest in manifests for row in read_manifest(manifest)]
        yield DoctorCheck("data", "ok", f"{folder}: {len(partition.domains)} domains, {len(rows):,} rows")
        if models.encoder is not None and partition.encoder_fingerprint != models.encoder.fingerprint:
            found = f"{folder}: made with another encoder ({partition.encoder_name})"
            yield DoctorCheck(
                "data", "wrong", found, "partition again with the encoder of the base, or give that --encoder"
            )
    else:
        rows = read_manifest(options.data)
        yield DoctorCheck("data", "ok", f"{options.data}: {len(rows):,} rows")
    yield _clips(rows, options.clips, progress)


def _clips(rows: Iterable[Row], limit: int, progress: Progress) -> DoctorCheck:
    files = list(dict.fromkeys(str(row.wav) for row in rows))
    chosen = files[:: max(1, -(-len(files) // limit))] if limit else files
    bad = []
    for done, (file, found) in enumerate(
        zip(chosen, check_clips(map(SourceRange, chosen), "header", ClipLimits()), strict=True)
    ):
        progress(done, len(chosen), "checking clips")
        if found.fault is not None:
            bad.append(f"{file}: {found.fault}")
    if bad:
        remedy = "prepare again with --check header; rejects.csv will list them"
        return DoctorCheck("clips", "wrong", f"{len(bad)} of the {len(chosen)} looked at: {some(bad, 2)}", remedy)
    return DoctorCheck("clips", "ok", f"{len(chosen):,} of {len(files):,} clips have sound headers")


def _benchmark(options: DoctorOptions) -> Iterator[DoctorCheck]:
    """The table of a benchmark is read, and the headers of all its clips."""
    if options.benchmark is None and options.metadata_csv is None:
        return
    name = options.benchmark or "custom"
    benchmark, table, items = find_items(name, options.data_root, options.metadata_csv, options.audio_dir)
    yield DoctorCheck("benchmark", "ok", f"{name}: {len(items):,} items of {table}")
    _, unusable = check_items(items, _ANY_RATE, benchmark.seconds, _READERS)
    if unusable:
        where = "check --audio-dir or --data-root"
        found = f"{len(unusable)} of {len(items)} items: {some(unusable.values(), 2)}"
        yield DoctorCheck("benchmark", "wrong", found, where)
    else:
        yield DoctorCheck("benchmark", "ok", f"the clips of {len(items):,} items have sound headers")
