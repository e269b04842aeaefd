"""Print the size of an installation: of the core, and of what each extra adds to it.

    .venv/bin/python scripts/install_sizes.py

Sizes are those of the installed files of every required distribution, in MB of 10^6 bytes, as the installers recorded
them. Extras that are not completely installed are marked; ``bash scripts/setup.sh dev`` installs most of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CUDA = ("nvidia-", "cuda-", "triton")
"""Beginnings of the names of what PyTorch requires for CUDA only."""


def required(name: str, extras: Iterable[str] = ()) -> tuple[set[str], set[str]]:
    """The names of a distribution and of all that it requires with some extras: (installed, missing)."""
    found: set[str] = set()
    missing: set[str] = set()
    waiting = [(name, frozenset(extras))]
    seen = set()
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        name, wanted = item
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:
            missing.add(name)
            continue
        found.add(name)
        for requirement in map(Requirement, requirements):
            environments = [{"extra": extra} for extra in wanted] or [{"extra": ""}]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found, missing


def megabytes(names: Iterable[str]) -> float:
    files = {Path(file.locate()) for name in names for file in distribution(name).files or ()}
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def main() -> None:
    core, missing = required("dplass")
    cuda = {name for name in core if name.startswith(CUDA)}
    print(f"core: {megabytes(core - cuda):,.0f} MB without CUDA, {megabytes(core):,.0f} MB with it")
    for extra in sorted(metadata("dplass").get_all("Provides-Extra") or ()):
        found, missing = required("dplass", [extra])
        note = f", not installed: {', '.join(sorted(missing))}" if missing else ""
        print(f"{extra}: {megabytes(found - core):,.0f} MB in {len(found - core)} packages{note}")


if __name__ == "__main__":
    main()
