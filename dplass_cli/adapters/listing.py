"""Finding adapters: what a list of them shows, and the one adapter at a path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.adapters.adapter_folder import STATISTICS, WEIGHTS, AdapterInfo, LoadedAdapter, read_description
from dplass_cli.adapters.bank_folder import find_adapters, read_adapter
from dplass_cli.adapters.dplass_format import read_published
from dplass_cli.errors import InputError, some
from dplass_cli.models import BaseModel
from dplass_cli.weights.checkpoint_files import read_tensors


@dataclass(frozen=True)
class ListedAdapter:
    """An adapter in a list.

    Attributes:
        key: its key in a bank.
        path: its folder, or its DP-LASS file.
        info: its description.
        parameters: number of its parameters.
        size: bytes on disk.
    """

    key: str
    path: Path
    info: AdapterInfo
    parameters: int
    size: int


def list_adapters(paths: Iterable[Path], trust: bool = False) -> list[ListedAdapter]:
    """List the adapters in banks, adapter folders and DP-LASS files; their base is not needed.

    Args:
        paths: where to look; ``tiny`` is the bundled bank.
        trust: read pickled files that contain more than weights; such files can run arbitrary code.

    Raises:
        InputError: a path contains no adapters, or a damaged one.
    """
    listed = []
    for path in paths:
        for key, place in find_adapters(path).items():
            if place.is_dir():
                tensors = read_tensors(place / WEIGHTS)[0]
                count = sum(tensor.numel() for name, tensor in tensors.items() if not name.startswith(STATISTICS))
                size = sum(file.stat().st_size for file in place.iterdir())
                listed.append(ListedAdapter(key, place, read_description(place), count, size))
            else:
                published = read_published(place, trust)
                count = sum(tensor.numel() for named in published.tensors.values() for tensor in named.values())
                info = AdapterInfo(published.method, {}, "", {}, training={"notes": list(published.notes)})
                listed.append(ListedAdapter(key, place, info, count, place.stat().st_size))
    return listed


def single_adapter(path: Path) -> Path:
    """The folder or file of the only adapter at a path.

    Raises:
        InputError: there is no adapter, or there are several.
    """
    found = find_adapters(path)
    if len(found) > 1:
        names = some([str(place) for place in found.values()], 9)
        raise InputError(f"{path}: contains {len(found)} adapters; name one of {names}")
    return next(iter(found.values()))


def load_single_adapter(path: Path, network: BaseModel, trust: bool = False) -> LoadedAdapter:
    """Load the only adapter at a path for a base.

    Raises:
        InputError: there is not exactly one adapter, or it belongs to another base.
    """
    return read_adapter(single_adapter(path), network, network.sha256(), trust)
