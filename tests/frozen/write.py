"""Write again what these tests hold the code to: ``python tests/frozen/write.py [command_line] [python_api] …``.

Run it when something was added that users may rely on from now on, and look at the difference: a line that goes away
is something that users lose. The files in ``v0.1``, ``old_files.json`` and ``reference_numbers.json`` are version
0.1's, and are not written again by others.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # this code, and not an installed one

from frozen.json_keys import outputs, shape
from frozen.old_files import USES, make, use
from frozen.small_numbers import numbers
from frozen.surface import FROZEN, command_line, python_api

OLD = FROZEN / "v0.1"


def old_files() -> dict[str, Any]:
    """What the files of version 0.1 give; first they are made, where they were deleted."""
    with tempfile.TemporaryDirectory() as name:
        if not OLD.is_dir():
            folder = Path(name).resolve() / "made"
            folder.mkdir()
            make(folder)
            shutil.copytree(folder, OLD)
        return {one: use(one, OLD, Path(name).resolve() / one) for one in USES}


def json_keys() -> dict[str, Any]:
    """The shape of what every verb says."""
    with tempfile.TemporaryDirectory() as name:
        said = dict(outputs(OLD, Path(name).resolve() / "files"))
    failed = [str(value) for value in said.values() if isinstance(value, AssertionError)]
    if failed:
        sys.exit("\n".join(failed))
    return {verb: shape(value) for verb, value in said.items()}


def reference_numbers() -> Any:
    """What the bundled models reach."""
    with tempfile.TemporaryDirectory() as name:
        return numbers(Path(name))


WRITERS: dict[str, Callable[[], Any]] = {
    "command_line": command_line,
    "python_api": python_api,
    "old_files": old_files,
    "json_keys": json_keys,
    "reference_numbers": reference_numbers,
}


def main() -> None:
    """Write the files that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *WRITERS], help="what to write; default: all")
    for name in parser.parse_args().names or WRITERS:
        path = FROZEN / f"{name}.json"
        path.write_text(json.dumps(WRITERS[name](), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
